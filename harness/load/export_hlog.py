"""A recording as an HdrHistogram log, one histogram a second: HistogramLogAnalyzer, hdr-plot.

Latencies are nanoseconds with three significant digits, from when requests were due. A histogram
knows no failures, so they stand apart: lines without a tag are successes, `Tag=failed` says how
long the failed ones took. Both together are all requests.
"""

from __future__ import annotations

from typing import BinaryIO

import numpy as np

from harness.clock import SECOND
from harness.load.export import Taken, date
from harness.load.hdr import counted, encoded
from harness.load.ranks import Bools
from harness.load.recording import ROW, Outcome, Rows


def write(taken: Taken, out: BinaryIO) -> None:
    kept, base_ns = np.empty(0, ROW), taken.epoch.mono_ns
    for rows in filter(len, taken.parts()):
        if not len(kept):  # the first: readers know no time before the beginning, as of a warm-up
            base_ns = int(rows["intended"].min())
            out.write(_head(taken, base_ns).encode())
        kept = _whole_seconds(base_ns, np.concatenate([kept, rows]), out)
    _second(base_ns, kept, out)


def _head(taken: Taken, base_ns: int) -> str:
    start = int(taken.wall_ns(np.int64(base_ns)))
    return (
        f"#[Latencies of run {taken.run_id}, from when each request was due]\n"
        "#[Histogram log format version 1.3]\n"
        f"#[BaseTime: {start / SECOND:.3f} (seconds since epoch)]\n"
        f"#[StartTime: {start / SECOND:.3f} (seconds since epoch), {date(start)}]\n"
        '"StartTimestamp","Interval_Length","Interval_Max","Interval_Compressed_Histogram"\n'
    )


def _whole_seconds(base_ns: int, rows: Rows, out: BinaryIO) -> Rows:
    """Write all seconds but the last, of which there may be more to come."""
    edges = np.flatnonzero(np.diff((rows["intended"] - base_ns) // SECOND)) + 1
    *whole, last = np.split(rows, edges)
    for part in whole:
        _second(base_ns, part, out)
    return last


def _second(base_ns: int, rows: Rows, out: BinaryIO) -> None:
    if not len(rows):
        return
    second = (int(rows["intended"][0]) - base_ns) // SECOND
    good = rows["outcome"] == Outcome.OK
    for tag, which in (("", good), ("Tag=failed,", ~good)):
        if which.any():
            out.write(f"{tag}{second:.3f},1.000,{_histogram(rows, which)}\n".encode())


def _histogram(rows: Rows, which: Bools) -> str:
    """The greatest value in milliseconds, and the histogram."""
    took = np.maximum(rows["ended"][which] - rows["intended"][which], 0)
    return f"{took.max() / 1e6:.3f},{encoded(counted(took))}"
