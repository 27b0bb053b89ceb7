"""The rows of a recording, in memory or on disk: given out in parts, so that nobody holds them all.

`blocks` gives them as they were written, `in_order` by when they were due, both only the rows that
may lie in a box of time. On disk an index knows the span of each block, and a sample of when rows
were due cuts the run into slices of about as many rows as a block has.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from harness.load.recording import HEADER, ROW, Rows

Ints = NDArray[np.int64]

#: Rows of a block: 5 MB.
BLOCK = 1 << 17
#: One row of so many is looked at to cut slices.
_SAMPLE = 1 << 9
_FIRST, _LAST = -(1 << 62), 1 << 62


@dataclass(frozen=True)
class Box:
    """Spans of monotonic nanoseconds, ends included: when rows were due, and when they ended."""

    due_from: int = _FIRST
    due_to: int = _LAST
    ended_from: int = _FIRST
    ended_to: int = _LAST


EVERYTHING = Box()


class Store(Protocol):
    def __len__(self) -> int: ...

    def blocks(self, box: Box = EVERYTHING) -> Iterator[Rows]:
        """Rows in any order, some perhaps outside the box."""

    def in_order(self, box: Box = EVERYTHING) -> Iterator[Rows]:
        """Rows by when they were due, some perhaps outside the box."""


class Held:
    """Rows in memory: one part."""

    def __init__(self, rows: Rows) -> None:
        self.rows = rows[np.argsort(rows["intended"], kind="stable")]

    def __len__(self) -> int:
        return len(self.rows)

    def blocks(self, box: Box = EVERYTHING) -> Iterator[Rows]:
        yield self.rows

    def in_order(self, box: Box = EVERYTHING) -> Iterator[Rows]:
        yield self.rows


@dataclass(frozen=True, eq=False)
class File:
    """One worker's rows. `names` gives each of its names its number in the whole recording."""

    path: Path
    count: int
    names: Ints

    def read(self, first: int, count: int) -> Rows:
        rows = np.fromfile(
            self.path, ROW, count=count, offset=HEADER.itemsize + first * ROW.itemsize
        )
        if not np.array_equal(self.names, np.arange(len(self.names))):
            rows["name"] = self.names[rows["name"]]
        return rows


@dataclass(frozen=True)
class _Block:
    file: File
    first: int
    count: int
    spans: Box

    def read(self) -> Rows:
        return self.file.read(self.first, self.count)

    def meets(self, box: Box) -> bool:
        mine = self.spans
        due = mine.due_from <= box.due_to and mine.due_to >= box.due_from
        return due and mine.ended_from <= box.ended_to and mine.ended_to >= box.ended_from


class Filed:
    """Rows on disk. Memory holds a block or a slice, and the index."""

    def __init__(self, files: tuple[File, ...], block: int = BLOCK) -> None:
        self._files = files
        self._block = block

    def __len__(self) -> int:
        return sum(file.count for file in self._files)

    def blocks(self, box: Box = EVERYTHING) -> Iterator[Rows]:
        return (block.read() for block in self._index[0] if block.meets(box))

    def in_order(self, box: Box = EVERYTHING) -> Iterator[Rows]:
        for begin, end in self._slices():
            if begin <= box.due_to and end >= box.due_from:
                yield self._slice(Box(begin, end), box)

    def _slice(self, span: Box, box: Box) -> Rows:
        """The rows of one slice; `box` may leave out more of its blocks."""
        parts = [np.empty(0, ROW)]
        for block in self._index[0]:
            if block.meets(span) and block.meets(box):
                rows = block.read()
                due = rows["intended"]
                parts.append(rows[(due >= span.due_from) & (due <= span.due_to)])
        rows = np.concatenate(parts)
        return rows[np.argsort(rows["intended"], kind="stable")]

    def _slices(self) -> Iterator[tuple[int, int]]:
        """Spans of due times that meet without a gap or an overlap."""
        _, samples = self._index
        step = max(self._block // _SAMPLE, 1)
        edges = [_FIRST, *np.unique(samples[step::step]).tolist(), _LAST]
        yield from ((begin, end - 1) for begin, end in pairwise(edges))

    @cached_property
    def _index(self) -> tuple[tuple[_Block, ...], Ints]:
        """Every block with its spans, and a sample of due times in order."""
        blocks, samples = [], [np.empty(0, np.int64)]
        for file in self._files:
            for first in range(0, file.count, self._block):
                count = min(self._block, file.count - first)
                rows = file.read(first, count)
                blocks.append(_Block(file, first, count, _spans(rows)))
                samples.append(rows["intended"][::_SAMPLE].copy())  # a view would keep all
        return tuple(blocks), np.sort(np.concatenate(samples))


def _spans(rows: Rows) -> Box:
    due, ended = rows["intended"], rows["ended"]
    return Box(int(due.min()), int(due.max()), int(ended.min()), int(ended.max()))
