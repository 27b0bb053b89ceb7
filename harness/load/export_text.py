"""A recording for a person: one line a request."""

from __future__ import annotations

from typing import BinaryIO

from harness.load.export import OUTCOMES, Taken

_HEADING = f"{'due':>10}  {'latency':>11}  {'outcome':<8} {'status':>6} {'bytes':>9}  name\n"


def write(taken: Taken, out: BinaryIO) -> None:
    out.write(_HEADING.encode())
    for rows in taken.parts():
        due = taken.seconds(rows["intended"]).tolist()
        took = ((rows["ended"] - rows["intended"]) / 1e6).tolist()
        told = zip(due, took, rows["outcome"], rows["status"], rows["bytes"], rows["name"],
                   strict=True)  # fmt: skip
        lines = (
            f"{due_s:9.3f}s  {ms:9.3f}ms  {OUTCOMES[outcome]:<8} {status or '':>6} {size:>9}  "
            f"{taken.names[name]}\n"
            for due_s, ms, outcome, status, size, name in told
        )
        out.write("".join(lines).encode())
