"""Nodes on and off, and their services."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

from devcluster import cgroups, linux, processes, services, wiring
from devcluster.layout import SOURCE, Failed, Layout, cache

_INSIDE = Path("run/devcluster")
_STOP_S = 10.0


def on(layout: Layout, node: str) -> None:
    """Boot a node, with the disk that it had."""
    if processes.pid_of(layout, node):
        raise Failed(f"{node} is on already")
    layout.folder(node).mkdir(exist_ok=True)
    cgroups.make(layout, node)
    ready_r, ready_w = os.pipe()
    go_r, go_w = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(ready_r)
        os.close(go_w)  # or it would wait for itself when this process is gone
        _become_node(layout, node, ready_w, go_r)
    os.waitpid(child, 0)
    os.close(ready_w)
    os.close(go_r)
    pid = os.read(ready_r, 20).decode()
    os.close(ready_r)
    if not pid:
        raise Failed(f"{node} did not start: see {layout.folder(node)}/init.log")
    processes.remember(layout, node, pid)
    wiring.plug_in(layout, node)
    os.write(go_w, b"x")
    os.close(go_w)


def off(layout: Layout, node: str) -> None:
    """Pull the plug: its processes, mounts and network are gone at once; its disk stays."""
    processes.kill(layout, node)
    cgroups.remove(layout, node)


def stop(layout: Layout, node: str, service: str) -> None:
    """Kill a service, and keep it down until `start`."""
    folder = _run_folder(layout, node, service)
    (folder / f"{service}.off").touch()
    os.kill(processes.living(layout, node), 1)
    deadline = time.monotonic() + _STOP_S
    while (folder / f"{service}.pid").exists():
        if time.monotonic() > deadline:
            raise Failed(f"{service} on {node} does not stop")
        time.sleep(0.01)


def start(layout: Layout, node: str, service: str) -> None:
    (_run_folder(layout, node, service) / f"{service}.off").unlink(missing_ok=True)
    os.kill(processes.living(layout, node), 1)


def _run_folder(layout: Layout, node: str, service: str) -> Path:
    known = services.of(layout, node)
    if service not in known:
        raise Failed(f"{node} has no service {service!r}: {', '.join(known)}")
    return Path(f"/proc/{processes.living(layout, node)}/root") / _INSIDE


def _become_node(layout: Layout, node: str, ready: int, go: int) -> None:
    """Never returns. The first child enters new namespaces, its own child is PID 1 in them."""
    try:
        os.setsid()
        cgroups.join(layout, node)
        _redirect(layout.folder(node) / "init.log")
        linux.unshare()
        if os.fork() == 0:
            os.setsid()
            os.write(ready, bytes(Path("/proc/self").readlink()))  # the machine's number for it
            if os.read(go, 1):  # nothing: who boots us died, and knows of no pid to kill
                _exec_init(layout, node)
    except BaseException as error:
        print(error, file=sys.stderr, flush=True)
    finally:
        os._exit(0)


def _redirect(log: Path) -> None:
    out = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    nothing = os.open("/dev/null", os.O_RDONLY)
    for source, target in ((nothing, 0), (out, 1), (out, 2)):
        os.dup2(source, target)


def _exec_init(layout: Layout, node: str) -> None:
    os.closerange(3, 256)
    python = os.path.realpath(getattr(sys, "_base_executable", sys.executable))
    environment = {
        "PATH": os.environ.get("PATH", os.defpath),
        "PYTHONPATH": str(SOURCE.parent),
        "PYTHONDONTWRITEBYTECODE": "1",
        "HARNESS_DEVCLUSTER_CACHE": str(cache()),
    }
    os.execve(python, [python, "-S", "-m", "devcluster.init", layout.name, node], environment)
