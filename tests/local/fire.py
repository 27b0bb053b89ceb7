"""Runs of the `harness` command to shoot at: a tiny system, and what of a run is still there."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import psutil
from worlds import LITTER

from harness.record.journal import Step, read
from harness.run.conduct import LEASE_S
from harness.substrates.local.spec import PRIVATE

#: A promise's deadline is asserted at three times its value.
LEASE_AND_1_S = 3 * (LEASE_S + 1)
SERVER = """
import http.client, sys, threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
kept = threading.local()
def ask():
    if len(sys.argv) < 3:
        return b"ok"
    if not hasattr(kept, "to"):
        kept.to = http.client.HTTPConnection(sys.argv[2], timeout=0.8)
    try:
        kept.to.request("GET", "/")
        return kept.to.getresponse().read()
    except Exception:
        kept.to.close()
        raise
class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_GET(self):
        try:
            status, body = 200, ask()
        except Exception as error:
            status, body = 502, str(error).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *said): pass
ThreadingHTTPServer.request_queue_size = 100
ThreadingHTTPServer(("", int(sys.argv[1])), Handler).serve_forever()
"""
USER = """
from locust import HttpUser, task
class User(HttpUser):
    @task
    def get(self):
        self.client.get("/", name="get")
"""
SYSTEM = """
apiVersion: harness/v1
kind: System
metadata: {{name: tiny}}
spec:
  services:
    front:
      run: "{python} server.py $(port) $(back.host):$(back.port)"
      port: 8080
      ready: /
      calls: [back]
    back: {{run: "{python} server.py $(port)", port: 8000, ready: /, restart: {{after: 300ms}}}}
    litter: {{run: "{python} litter.py {mark} $(port)", port: 7000, ready: tcp}}
"""
EXPERIMENT = """
apiVersion: harness/v1
kind: Experiment
metadata: {{name: tiny, labels: {{tier: pr}}}}
spec:
  hypothesis: It holds.
  system: system.yaml
  load: {{users: user.py, entry: front, arrivals: {{tasks: 20/s}}, warmup: 0.5s, timeout: 1s}}
  timeline: [{timeline}]
  objectives: [{objectives}]
  settle: {settle}
  {more}
"""
#: The one that travels, and that of an attached system.
AGENTS = ("harness.agent.main", "harness.substrates.attached.agent")
_SLOW = "id: f, at: 1s, for: 60s, from: front, to: back, delay: 40ms"
FAULTS = {
    "network": f"{{{_SLOW}, fault: network.latency}}",
    "dependency": f"{{{_SLOW}, fault: dependency.latency}}",
    "pause": "{id: f, at: 1s, for: 60s, fault: process.pause, target: back}",
    "none": "",
}


@dataclass
class Place:
    """A directory with a system, an experiment and a state of its own."""

    path: Path
    mark: str = field(default_factory=lambda: f"5{secrets.token_hex(3)}")

    def __post_init__(self) -> None:
        self.write("server.py", SERVER)
        self.write("litter.py", LITTER)
        self.write("user.py", USER)
        self.write("system.yaml", SYSTEM.format(python=f"{sys.executable} -P", mark=self.mark))
        (self.path / "tmp").mkdir()

    def write(self, name: str, text: str) -> Path:
        path = self.path / name
        path.write_text(text)
        return path

    def change(self, name: str, old: str, new: str) -> None:
        text = (self.path / name).read_text()
        assert old in text
        self.write(name, text.replace(old, new))

    def experiment(
        self, timeline: str = "", *, objectives: str = "", settle: str = "500ms", more: str = "",
        name: str = "x.yaml",
    ) -> Path:  # fmt: skip
        if not timeline:
            more += "\n  duration: 60s"
        return self.write(name, EXPERIMENT.format(**locals()))

    @property
    def environment(self) -> dict[str, str]:
        own = {"XDG_STATE_HOME": str(self.path / "state"), "TMPDIR": str(self.path / "tmp")}
        return {**os.environ, **own}

    def harness(self, *arguments: str, timeout: float = 90, **env: str):
        """Run a command to its end."""
        return subprocess.run(
            [*HARNESS, *arguments], cwd=self.path, env={**self.environment, **env},
            capture_output=True, text=True, timeout=timeout, check=False,
        )  # fmt: skip

    @contextlib.contextmanager
    def running(self, *arguments: str, before: tuple[str, ...] = (), **env: str) -> Iterator[Shot]:
        """A command that goes on; killed at the end if the test did not end it."""
        with (self.path / "out").open("wb") as out, (self.path / "err").open("wb") as err:
            process = subprocess.Popen(
                [*before, *HARNESS, *arguments], cwd=self.path, env={**self.environment, **env},
                stdout=out, stderr=err, stdin=subprocess.DEVNULL,
            )  # fmt: skip
        shot = Shot(self, process)
        try:
            yield shot
        finally:
            process.kill()
            process.wait()
            shot.end_the_rest()

    @property
    def run_directory(self) -> Path | None:
        last = self.path / "reports" / "last"
        return last.resolve() if last.exists() else None

    @property
    def steps(self) -> tuple[Step, ...]:
        return read(self.run_directory / "journal.jsonl") if self.run_directory else ()

    @property
    def told(self) -> list[str]:
        return [f"{step.step} {step.effect}".strip() for step in self.steps]

    @property
    def report(self):
        return json.loads((self.run_directory / "report.json").read_text())

    @property
    def verdict(self) -> str:
        return json.loads((self.path / "report.json").read_text())["verdict"]


KINDS = ("net", "mnt", "pid", "ipc", "user")
HARNESS = (sys.executable, "-P", "-m", "harness.cli.main")


@dataclass
class Shot:
    """A running harness and everybody whom it started."""

    place: Place
    process: subprocess.Popen[bytes]
    known: dict[int, psutil.Process] = field(default_factory=dict)
    #: Each with a descriptor of it: its number is nobody else's for as long as we look.
    namespaces: dict[str, int] = field(default_factory=dict)

    def until(self, step: str, within_s: float = 30) -> None:
        """Wait for a step of the journal."""
        wait(lambda: any(t.startswith(step) for t in self.place.told) or self.over, within_s, step)
        assert any(t.startswith(step) for t in self.place.told), (step, self.place.told, self.said)
        self.look()

    @property
    def over(self) -> bool:
        return self.process.poll() is not None

    @property
    def said(self) -> str:
        return (self.place.path / "out").read_text() + (self.place.path / "err").read_text()

    def look(self) -> None:
        """Remember who belongs to the run, and in which namespaces they are."""
        ours = namespaces_of(os.getpid())
        with contextlib.suppress(psutil.Error):
            for child in psutil.Process(self.process.pid).children(recursive=True):
                self.known[child.pid] = child
                self._hold_namespaces(child.pid, ours)

    def _hold_namespaces(self, pid: int, ours: set[str]) -> None:
        for kind in KINDS:
            with contextlib.suppress(OSError):
                fd = os.open(f"/proc/{pid}/ns/{kind}", os.O_RDONLY | os.O_CLOEXEC)
                name = str(Path(f"/proc/self/fd/{fd}").readlink())
                if name in ours or name in self.namespaces:
                    os.close(fd)
                else:
                    self.namespaces[name] = fd

    def who(self, *what: str) -> list[psutil.Process]:
        """Processes of the run by one of some words of their command line, the oldest first."""
        self.look()
        found = []
        for process in self.known.values():
            with contextlib.suppress(psutil.Error):
                if any(part in word for word in process.cmdline() for part in what):
                    found.append(process)
        return sorted(found, key=lambda process: process.pid)

    @property
    def reaper(self) -> psutil.Process:
        agents = self.who(*AGENTS)
        return next(a for a in agents if a.ppid() not in {b.pid for b in agents})

    @property
    def agent(self) -> psutil.Process:
        agents = self.who(*AGENTS)
        return next(a for a in agents if a.ppid() in {b.pid for b in agents})

    @property
    def first(self) -> psutil.Process:
        """The world's PID 1."""
        worlds = self.who("harness.substrates.local.supervisor")
        parents = {w.pid for w in worlds}
        return next(w for w in worlds if w.ppid() in parents)

    def ends(self, within_s: float = 60) -> int:
        """Its exit status."""
        return self.process.wait(within_s)

    def end_the_rest(self) -> None:
        """What a broken promise left must not stay on this machine."""
        for process in self.known.values():
            with contextlib.suppress(psutil.Error):
                process.kill()
        for fd in self.namespaces.values():
            os.close(fd)

    def left(self) -> list[str]:
        """Everything of the run that is still there, in words; the run directory is no litter."""
        return [
            *(f"process {p.pid}" for p in self.known.values() if alive(p)),
            *(f"namespace {ns}" for ns in sorted(set(self.namespaces) & all_namespaces())),
            *lines_with("/proc/self/mountinfo", str(self.place.path)),
            *lines_with("/proc/net/unix", self.place.mark),
            *lines_with("/proc/net/unix", "harness-world", self._world),
            *lines_with("/proc/sysvipc/shm", f" {int(self.place.mark, 16)} "),
            *(str(p) for d in PRIVATE for p in Path(d).glob(f"*{self.place.mark}*")),
            *(str(p) for p in (self.place.path / "tmp").iterdir()),
            *(str(p) for p in files_of(self.place.path) if p.suffix == ".new"),
            *filter(os.path.exists, directories_of_worlds(self.place.path)),
        ]

    @property
    def _world(self) -> str:
        names = (s.data["world"] for s in self.place.steps if s.step == "world.ready")
        return next(names, "") or "no world was ready"

    def nothing_left(self, within_s: float = LEASE_AND_1_S) -> float:
        """After how many seconds nothing was left; fails when something stays."""
        begin = time.monotonic()
        wait(lambda: not self.left(), within_s, lambda: f"left: {self.left()}")
        return time.monotonic() - begin


def wait(true: Callable[[], bool], within_s: float, what) -> None:
    end = time.monotonic() + within_s
    while not true():
        assert time.monotonic() < end, what() if callable(what) else f"no {what} in {within_s} s"
        time.sleep(0.02)


def alive(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False


def namespaces_of(pid: int) -> set[str]:
    found = set()
    for kind in KINDS:
        with contextlib.suppress(OSError):
            found.add(str(Path(f"/proc/{pid}/ns/{kind}").readlink()))
    return found


def all_namespaces() -> set[str]:
    pids = [int(p.name) for p in Path("/proc").iterdir() if p.name.isdigit()]
    return set().union(*(namespaces_of(pid) for pid in pids))


def files_of(directory: Path) -> Iterator[Path]:
    """As far as they stay while they are listed."""
    return (Path(at, name) for at, _, names in os.walk(directory) for name in names)


def directories_of_worlds(directory: Path) -> Iterator[str]:
    notes = (path for path in files_of(directory) if path.name == "world.json")
    return (json.loads(note.read_text())["place"] for note in notes)


def lines_with(path: str, *words: str) -> list[str]:
    lines = Path(path).read_text().splitlines()
    return [f"{path}: {line}" for line in lines if all(word in line for word in words)]


def stopped(process: psutil.Process) -> bool:
    return process.status() == psutil.STATUS_STOPPED


KILL, STOP, CONT = signal.SIGKILL, signal.SIGSTOP, signal.SIGCONT
