"""Small systems for tests of the local world, made of nothing but this Python."""

import contextlib
import sys
from pathlib import Path

from harness.capabilities import Edges, Links, Signals, Units
from harness.experiment.system_model import Metadata, Service, System
from harness.faults import registry
from harness.substrates.local.process import Asked, spawn
from harness.substrates.local.support import why_not

WHY_NOT = why_not()
PYTHON = f"{sys.executable} -P"

#: Leaves everything behind that a server could: System V and POSIX shared memory, files, sockets.
LITTER = """
import ctypes, os, socket, sys, time
mark = sys.argv[1]
ctypes.CDLL(None).shmget(int(mark, 16), 4096, 0o1666)
open("/dev/shm/" + mark, "w").close(); open("/tmp/" + mark, "w").close()
open("/run/" + mark, "w").close() if os.access("/run", os.W_OK) else None
one = socket.socket(socket.AF_UNIX); one.bind("/tmp/" + mark + ".sock"); one.listen()
two = socket.socket(socket.AF_UNIX); two.bind("\\0" + mark); two.listen()
if os.fork() == 0:
    os.setsid()
if os.fork() == 0:
    os.setsid()
served = socket.socket(); served.setsockopt(1, 15, 1); served.bind(("", int(sys.argv[2])))
served.listen(); time.sleep(600)
"""


def web(name="web", **fields):
    """A service that answers HTTP from the system's directory."""
    run = f"{PYTHON} -m http.server $(port)"
    return Service(name, **{"run": run, "port": 8080, "ready": "/", **fields})


def script(name, text, directory: Path, arguments="", **fields):
    """A service that runs a program of this text."""
    path = directory / f"{name}.py"
    path.write_text(text)
    return Service(name, run=f"{PYTHON} {path} {arguments}", **fields)


def system(directory: Path, *services, name="test"):
    return System(Metadata(name), services, directory / "system.yaml", directory)


def said(world: str, host: str, command: str, directory: Path, service=True):
    """What a shell command prints on that host, and its exit status."""
    path = directory / "said.txt"
    with path.open("w+b") as out, contextlib.ExitStack() as stack:
        nothing = stack.enter_context(Path("/dev/null").open("rb"))
        asked = Asked(host, ("/bin/sh", "-c", command), service=service,
                      env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin"})  # fmt: skip
        child = spawn(world, asked, (nothing.fileno(), out.fileno(), out.fileno()))
        status = child.wait(20)
        return path.read_text(), status


def faults_of_a_world():
    """Ours that a local world can take; those of a cluster's own things, and of its regions, are
    tried in tests/k8s."""
    offered = (Links, Signals, Edges, Units)
    everybody = [n for n in registry.names() if not n.startswith("region.")]
    ours = [n for n in everybody if registry.find(n).__module__.startswith("harness.")]
    return {name for name in ours if registry.find(name).needs in offered}
