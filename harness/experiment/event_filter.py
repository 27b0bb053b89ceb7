"""The filters by which an OpenSLO file tells requests apart: `ok and latency_ms < 100`.

    all                            every request
    ok, not ok                     good or failed answers
    latency_ms < 100               with <, <=, >, >=, from the due time
    name == "GET /cart"            requests of this name

joined by `and` where all must be true, by `or` where one must.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from harness.experiment.tokens import MisreadError

_PART = re.compile(
    r"""\s*(?: (?P<all>all) | (?P<ok>(?:not\s+)?ok) | name\s*==\s*(?P<name>"[^"]+"|[\w./:-]+)
      | latency_ms\s*(?P<op><=|>=|<|>)\s*(?P<ms>\d+(?:\.\d+)?) )\s*""",
    re.VERBOSE,
)
_JOIN = re.compile(r"(and|or)\b")


@dataclass(frozen=True)
class Filter:
    """`ok`: "ok", "not ok" or empty. `op` and `limit_s` of a latency; `name` of requests."""

    ok: str = ""
    op: str = ""
    limit_s: float = 0.0
    name: str = ""
    join: str = ""


def read_filter(text: str) -> Filter:
    """Parse; raises `MisreadError`."""
    parts: dict[str, str] = {}
    at, join = 0, ""
    while True:
        match = _PART.match(text, at)
        if match is None:
            said = "a filter is `all`, or made of `ok`, `latency_ms < 100`, `name == pay`"
            raise MisreadError(at, said, "joined by and, or")
        _add(parts, {key: value for key, value in match.groupdict().items() if value}, at)
        at = match.end()
        if at == len(text):
            return _filter(parts, join)
        join = _joined(text, at, join)
        at += len(join)


def _add(parts: dict[str, str], more: dict[str, str], at: int) -> None:
    if twice := set(parts) & set(more):
        raise MisreadError(at, f"a second {'latency_ms' if 'ms' in twice else twice.pop()}")
    parts |= more


def _joined(text: str, at: int, before: str) -> str:
    match = _JOIN.match(text, at)
    if match is None or (before and match[1] != before):
        said = "`and` and `or` together" if match else "`and` or `or` belongs here"
        raise MisreadError(at, said)
    return match[1]


def _filter(parts: dict[str, str], join: str) -> Filter:
    if "all" in parts and len(parts) > 1:
        raise MisreadError(0, "`all` stands alone")
    ok = " ".join(parts.get("ok", "").split())
    limit = float(parts.get("ms", 0)) / 1e3
    return Filter(ok, parts.get("op", ""), limit, parts.get("name", "").strip('"'), join)
