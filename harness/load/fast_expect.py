"""What makes an answer right: a status, and fields of its JSON.

    {"age_s": "<= 1", "items": {"count": 3}}

A mapping is a subset: fields that nobody names may be there. Text that begins with a comparison
(`<`, `<=`, `>`, `>=`, `!=`) is one with a number; anything else must be equal.
"""

from __future__ import annotations

import json
import operator
from collections.abc import Callable
from typing import Any

from harness.experiment.model import Expect
from harness.experiment.requests import COMPARISON
from harness.load.recording import Outcome

Check = Callable[[int, bytes | bytearray], Outcome]

_OPERATORS = {
    "<=": operator.le, ">=": operator.ge, "<": operator.lt, ">": operator.gt, "!=": operator.ne,
}  # fmt: skip


def checker(expect: Expect) -> Check:
    """The outcome of an answer that came in time."""
    wanted = json.loads(expect.json) if expect.json else None

    def check(status: int, body: bytes | bytearray) -> Outcome:
        if status != expect.status if expect.status else status >= 400:
            return Outcome.STATUS
        if wanted is not None and not _content(wanted, body):
            return Outcome.CONTENT
        return Outcome.OK

    return check


def _content(wanted: Any, body: bytes | bytearray) -> bool:
    try:
        return matches(wanted, json.loads(body))
    except ValueError:
        return False


def matches(wanted: Any, found: Any) -> bool:
    """Whether what was found is as it was wanted."""
    if isinstance(wanted, dict):
        return isinstance(found, dict) and all(
            key in found and matches(value, found[key]) for key, value in wanted.items()
        )
    compared = COMPARISON.fullmatch(wanted) if isinstance(wanted, str) else None
    if compared is None:
        return isinstance(wanted, bool) == isinstance(found, bool) and bool(wanted == found)
    return _is_number(found) and bool(_OPERATORS[compared[1]](found, float(compared[2])))


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)
