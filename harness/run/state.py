"""What this machine knows about runs: an index, leases on targets, and the halt switch.

Under `$XDG_STATE_HOME/harness` (by default ~/.local/state/harness). The index is a file a run;
leases are `flock`s, so that a killed holder holds nothing; the halt switch is a file. Time left is
counted on the monotonic clock, which is one for all processes of a machine and is never set.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path

import psutil

from harness.agent.effects import Processes, Resource, ToxiproxyEdge
from harness.errors import Refused
from harness.mechanisms.pods import MARK
from harness.substrates.attached.identity import start_of


def home() -> Path:
    base = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    path = Path(base) / "harness"
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    return path


@dataclass(frozen=True)
class Entry:
    """One run in the index. `pid` and `start` (clock ticks since boot) identify the harness.

    `born` (Unix seconds) stands in for `start` where there is no /proc, and in entries of before:
    it shifts when the clock of the machine is set.
    """

    run_id: str
    name: str
    directory: str
    pid: int
    born: float
    substrate: str
    start: int = 0

    @property
    def alive(self) -> bool:
        if self.start:
            return start_of(self.pid) == self.start
        try:
            process = psutil.Process(self.pid)
            same = abs(process.create_time() - self.born) < 1.0
            return same and process.status() != psutil.STATUS_ZOMBIE
        except psutil.Error:
            return False


def enter(run_id: str, name: str, directory: Path, substrate: str) -> Entry:
    """Put this process's run into the index; runs whose directory is gone leave it."""
    for old in entries():
        if not Path(old.directory).exists():
            forget(old.run_id)
    born = psutil.Process().create_time()
    pid = os.getpid()
    entry = Entry(run_id, name, str(directory), pid, born, substrate, start_of(pid))
    draft = _runs() / f".{run_id}.new"  # nobody is to read half of it
    draft.write_text(json.dumps(asdict(entry)))
    draft.replace(_runs() / f"{run_id}.json")
    return entry


def entries() -> tuple[Entry, ...]:
    """Every run of the index, oldest first; unreadable files are passed over."""
    found = []
    for path in _runs().glob("*.json"):
        with suppress(ValueError, TypeError, OSError):  # another run may be forgetting it
            found.append((path.stat().st_mtime, Entry(**json.loads(path.read_text()))))
    return tuple(entry for _, entry in sorted(found, key=lambda each: each[0]))


def forget(run_id: str) -> None:
    _runs().joinpath(f"{run_id}.json").unlink(missing_ok=True)


def _runs() -> Path:
    path = home() / "runs"
    path.mkdir(exist_ok=True)
    return path


# ---------------------------------------------------------------- halt


def halt(reason: str) -> None:
    (home() / "halt").write_text(f"{reason}\n")


def resume() -> bool:
    """True if there was a halt to end."""
    stood = bool(halted())
    (home() / "halt").unlink(missing_ok=True)
    return stood


def halted() -> str:
    """Why runs are halted, or empty."""
    try:
        return (home() / "halt").read_text().strip() or "halted"
    except FileNotFoundError:
        return ""


# ---------------------------------------------------------------- leases

#: From the lock to the holder's name in it.
_WRITES_S = 1.0


def key(resource: Resource, world: str) -> str:
    """What a lease on this resource is called, the same from every run of this machine."""
    if isinstance(resource, Processes) and resource.pid:
        return f"process {resource.pid} (started {resource.start})"
    if (netns := getattr(resource, "netns", "")).startswith(MARK):
        return f"{type(resource).__name__.lower()} of {resource.target} ({netns})"
    if isinstance(resource, ToxiproxyEdge):
        return f"proxy {resource.listen} of {resource.server}"
    return f"{world} {type(resource).__name__.lower()} {resource.target}"


@contextmanager
def leased(keys: tuple[str, ...], run_id: str, name: str, lasts_s: float) -> Iterator[None]:
    """Hold these resources alone, or raise `Refused` with the holder's name and time left."""
    with ExitStack() as held:
        for key in sorted(set(keys)):
            held.callback(os.close, _lock(key, run_id, name, lasts_s))
        yield


def _lock(key: str, run_id: str, name: str, lasts_s: float) -> int:
    folder = home() / "leases"
    folder.mkdir(exist_ok=True)
    path = folder / hashlib.sha256(key.encode()).hexdigest()[:32]
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(fd)
        raise Refused(f"{key} is held by {_holder(path)}", hint="harness ps shows it") from None
    os.ftruncate(fd, 0)
    holder = {"run": run_id, "name": name, "pid": os.getpid(), "start": start_of(os.getpid()),
              "until": time.monotonic() + lasts_s, "key": key}  # fmt: skip
    os.pwrite(fd, json.dumps(holder).encode(), 0)
    return fd


def _holder(path: Path) -> str:
    """By name, run and time left. Whoever holds it may not have written that yet."""
    until = time.monotonic() + _WRITES_S
    while (told := _told(path)) is None and time.monotonic() < until:
        time.sleep(_WRITES_S / 50)
    return told or "another run"


def _told(path: Path) -> str | None:
    """None when that is nobody who lives: half a line, or a holder of before."""
    with suppress(OSError, ValueError, KeyError):
        data = json.loads(path.read_text())
        left = max(0.0, data["until"] - time.monotonic())
        if start_of(data["pid"]) == data["start"]:
            who = f"{data['name']}, pid {data['pid']}"
            return f"run {data['run']} ({who}), {left:.0f} s left at most"
    return None
