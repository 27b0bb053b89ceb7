"""The request that belongs to an arrival: chosen by weight, filled with data, as bytes to send.

Both come from the seed and the arrival's index alone, so that a run can be repeated and workers
need not agree. What never changes is made once.
"""

from __future__ import annotations

import json
from bisect import bisect
from collections.abc import Callable
from dataclasses import dataclass
from itertools import accumulate
from typing import Any
from urllib.parse import quote, urlsplit

from harness.experiment.model import Data, Request
from harness.experiment.requests import PLACEHOLDER, VALUE, placeholders
from harness.load.arrivals import chance
from harness.load.fast_expect import Check, checker
from harness.record.plan import LoadPlan

#: Draws of an arrival: one for its request, and then one for each of its data.
_DRAWS = 64

Value = str | int | float | bool


@dataclass(frozen=True, slots=True)
class Ready:
    """A request to send. `reads_body`: the check looks at it."""

    name: str
    bytes: bytes
    check: Check
    reads_body: bool


class Deck:
    """`deck.draw(index)` is the request of that arrival."""

    def __init__(self, plan: LoadPlan) -> None:
        self._seed = plan.seed
        self._edges = list(accumulate(request.weight for request in plan.requests))
        self._makers = [_maker(request, plan) for request in plan.requests]
        self._only = self._makers[0] if len(self._makers) == 1 else None

    def draw(self, index: int) -> Ready:
        if self._only is not None:
            return self._only(index)
        at = chance(self._seed, index * _DRAWS) * self._edges[-1]
        return self._makers[bisect(self._edges, at)](index)


def _maker(request: Request, plan: LoadPlan) -> Callable[[int], Ready]:
    """Makes the request of an arrival; the same one each time where nothing varies."""
    data = {d.name: d for d in plan.data}
    names = placeholders(request)
    check, reads = checker(request.expect), bool(request.expect.json)
    prefix, head = urlsplit(plan.url).path.rstrip("/"), _head(plan)

    def make(index: int) -> Ready:
        drawn = {
            name: _value(data.get(name, Data(name)), chance(plan.seed, index * _DRAWS + 1 + n))
            for n, name in enumerate(names)
        }
        return Ready(request.name, _bytes(request, prefix, head, drawn), check, reads)

    constant = make(0)
    return make if names else lambda _index: constant


def _value(data: Data, draw: float) -> Value:
    if data.values:
        return data.values[int(draw * len(data.values))]
    return data.low + int(draw * (data.high - data.low + 1))


def _bytes(request: Request, prefix: str, head: str, drawn: dict[str, Value]) -> bytes:
    path = PLACEHOLDER.sub(lambda m: quote(str(drawn[m[1]]), safe=""), request.path)
    body = VALUE.sub(lambda m: json.dumps(drawn[m[1]]), request.json).encode()
    sized = request.method not in ("GET", "DELETE") or body
    said = f"Content-Length: {len(body)}\r\n" if sized else ""
    said += "Content-Type: application/json\r\n" if body else ""
    return f"{request.method} {prefix}{path} HTTP/1.1\r\n{head}{said}\r\n".encode() + body


def _head(plan: LoadPlan) -> str:
    """The lines that every request has."""
    fields: dict[str, Any] = {
        "Host": urlsplit(plan.url).netloc, "Accept": "*/*", "User-Agent": "harness",
        **dict(plan.headers), "X-Harness-Run": plan.run_id,
    }  # fmt: skip
    return "".join(f"{name}: {value}\r\n" for name, value in fields.items())
