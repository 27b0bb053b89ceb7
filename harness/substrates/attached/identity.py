"""Which process is meant: by its pid, or by the port that it listens on.

A pid and its start time together are an identity that a reused pid does not share. Of several
processes that share a listening socket (workers) the oldest is taken: their parent. Caveat: the
sockets of other users' processes cannot be seen without root.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

_LISTEN = "0A"


def start_of(pid: int) -> int:
    """Field 22 of /proc/PID/stat; 0 when there is no such process, or only its remains."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return 0
    fields = stat.rpartition(") ")[2].split()
    return 0 if fields[0] in "ZX" else int(fields[19])


def listening_on(port: int) -> int:
    """The pid that listens there; 0 when nobody does whom we can see."""
    wanted = {f"socket:[{inode}]" for inode in _listening_inodes(port)}
    holders = [(start_of(pid), pid) for pid in _pids() if wanted and wanted & set(_open_files(pid))]
    return min(holders)[1] if holders else 0


def is_served(port: int) -> bool:
    """Somebody listens there, whoever it is."""
    return any(True for _ in _listening_inodes(port))


def _listening_inodes(port: int) -> Iterator[str]:
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        for line in _lines(table):
            fields = line.split()
            if fields[3] == _LISTEN and int(fields[1].rpartition(":")[2], 16) == port:
                yield fields[9]


def _lines(table: str) -> list[str]:
    path = Path(table)
    return path.read_text().splitlines()[1:] if path.exists() else []


def _pids() -> Iterator[int]:
    return (int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit())


def _open_files(pid: int) -> Iterator[str]:
    try:
        for entry in Path(f"/proc/{pid}/fd").iterdir():
            yield str(entry.readlink())
    except OSError:
        return
