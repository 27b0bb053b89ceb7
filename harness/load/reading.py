"""Recordings read back: all of a run, held or in parts, or live, what is new since the last look.

Names are numbered by each worker for itself; reading gives all rows one numbering. A torn last
row (the worker was killed while writing) is not there.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from harness.load.recording import HEADER, MAGIC, ROW, Rows
from harness.load.status import Event, Status, parse, path_of
from harness.load.stored import File, Filed, Held, Store

#: A recording of no more rows than these (20 MB) is held in memory.
_HELD = 1 << 19


@dataclass(frozen=True)
class Recording:
    """Rows sorted by when they were due; a row's `name` is an index into `names`."""

    rows: Rows
    names: tuple[str, ...]


def read(directory: Path) -> Recording:
    """All recordings of a run directory; without any, no rows."""
    names = _Names()
    parts = [names.unified(_mapped(path), path) for path in _files(directory)]
    rows = np.concatenate(parts) if parts else np.empty(0, ROW)
    return Recording(rows[np.argsort(rows["intended"], kind="stable")], names.all)


def stored(directory: Path, held: int = _HELD) -> tuple[Store, tuple[str, ...]]:
    """All rows of a run without holding them, unless they are few; and their names."""
    names = _Names()
    counts = [(path, _count(path)) for path in _files(directory)]
    files = tuple(File(path, count, names.of(path)) for path, count in counts if count)
    filed = Filed(files)
    if len(filed) > held:
        return filed, names.all
    rows = [np.empty(0, ROW), *(file.read(0, file.count) for file in files)]
    return Held(np.concatenate(rows)), names.all


class Tail:
    """What is new: rows since the last call, in the order of their ending, and latest states."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._names = _Names()
        self._offsets: dict[Path, int] = {}
        self._states: dict[int, Status] = {}
        self._events: list[tuple[int, Event]] = []

    @property
    def names(self) -> tuple[str, ...]:
        return self._names.all

    def rows(self) -> Rows:
        files = _files(self._directory)
        parts = [self._names.unified(self._new_rows(path), path) for path in files]
        rows = np.concatenate(parts) if parts else np.empty(0, ROW)
        return rows[np.argsort(rows["ended"], kind="stable")]

    def states(self) -> dict[int, Status]:
        """The latest state of each worker that has told one."""
        self._read_lines()
        return dict(self._states)

    def events(self) -> tuple[tuple[int, Event], ...]:
        """All events so far, each with its worker."""
        self._read_lines()
        return tuple(self._events)

    def _new_rows(self, path: Path) -> Rows:
        begin = self._offsets.get(path, HEADER.itemsize)
        whole = _whole_size(path)
        count = max(whole - begin, 0) // ROW.itemsize
        self._offsets[path] = max(begin, whole)
        return np.fromfile(path, ROW, count=count, offset=begin) if count else np.empty(0, ROW)

    def _read_lines(self) -> None:
        for path in sorted(self._directory.glob("load.*.jsonl")):
            worker = int(path.name.split(".")[1])
            for line in self._new_lines(path):
                told = parse(line)
                if isinstance(told, Status):
                    self._states[worker] = told
                elif told is not None:
                    self._events.append((worker, told))

    def _new_lines(self, path: Path) -> list[bytes]:
        begin = self._offsets.get(path, 0)
        with path.open("rb") as file:
            file.seek(begin)
            new = file.read()
        whole = new.rfind(b"\n") + 1
        self._offsets[path] = begin + whole
        return new[:whole].splitlines()


class _Names:
    """One numbering over the names of all workers, which grows while they write."""

    def __init__(self) -> None:
        self._numbers: dict[str, int] = {}
        self._of_file: dict[Path, Rows] = {}

    @property
    def all(self) -> tuple[str, ...]:
        return tuple(self._numbers)

    def unified(self, rows: Rows, path: Path) -> Rows:
        """The rows with their names renumbered; a copy, unless the numbers are the same."""
        if not len(rows):
            return rows
        known = self._of_file.get(path)
        if known is None or rows["name"].max() >= len(known):
            known = self._of_file[path] = self.of(path)
        if np.array_equal(known, np.arange(len(known))):
            return rows
        renamed = np.array(rows)
        renamed["name"] = known[rows["name"]]
        return renamed

    def of(self, path: Path) -> Rows:
        """The numbers, here, of a recording's names."""
        lines = path.with_suffix(".names").read_text(errors="replace").split("\n")[:-1]
        numbers = [self._numbers.setdefault(name, len(self._numbers)) for name in lines]
        return np.array(numbers, "<u2")


def ready_or_broken(directory: Path, worker: int) -> Event | None:
    """What a worker said about its start, once it said so."""
    try:
        lines = path_of(directory, worker).read_bytes().splitlines()
    except FileNotFoundError:
        return None
    told = [parse(line) for line in lines]
    return next((e for e in told if isinstance(e, Event) and e.event != "ended"), None)


def _files(directory: Path) -> list[Path]:
    return sorted(directory.glob("recording.*.bin"))


def _count(path: Path) -> int:
    return max(_whole_size(path) - HEADER.itemsize, 0) // ROW.itemsize


def _mapped(path: Path) -> Rows:
    count = _count(path)
    if not count:
        return np.empty(0, ROW)
    return np.memmap(path, ROW, "r", offset=HEADER.itemsize, shape=(count,))


def _whole_size(path: Path) -> int:
    """The bytes up to the last whole row; refuses what is no recording of ours."""
    size = path.stat().st_size
    if size < HEADER.itemsize:
        return 0
    header = np.fromfile(path, HEADER, count=1)[0]
    if bytes(header["magic"]) != MAGIC or header["row"] != ROW.itemsize:
        raise ValueError(f"{path} is no recording of this version")
    return size - (size - HEADER.itemsize) % ROW.itemsize
