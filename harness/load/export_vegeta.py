"""A recording as vegeta's JSON results: `vegeta report`, `plot` and `dump` read it.

vegeta knows no due time: the timestamp is when a request was due, and the latency counts from then.
What vegeta calls a success is a status from 200 to 399, so what failed without a bad status (a
timeout, a wrong content) has status 0. The name of a request stands where its URL would.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import BinaryIO

from harness.load.export import OUTCOMES, Taken, date
from harness.load.recording import Outcome, Rows


def write(taken: Taken, out: BinaryIO) -> None:
    out.writelines("".join(_lines(taken, rows)).encode() for rows in taken.parts())


def _lines(taken: Taken, rows: Rows) -> Iterator[str]:
    due = taken.wall_ns(rows["intended"]).tolist()
    took = (rows["ended"] - rows["intended"]).tolist()
    columns = (rows[key].tolist() for key in ("outcome", "status", "bytes", "arrival", "name"))
    for at, latency, outcome, status, size, arrival, name in zip(due, took, *columns, strict=True):
        line = {
            "attack": taken.run_id, "seq": arrival, "code": _code(outcome, status),
            "timestamp": date(at), "latency": latency, "bytes_out": 0, "bytes_in": size,
            "error": "" if outcome == Outcome.OK else OUTCOMES[outcome], "body": None,
            "method": "", "url": taken.names[name], "headers": None,
        }  # fmt: skip
        yield json.dumps(line, separators=(",", ":")) + "\n"


def _code(outcome: int, status: int) -> int:
    if outcome == Outcome.OK:
        return status or 200  # what has no status, such as a query, was answered well
    return 0 if 200 <= status < 400 else status
