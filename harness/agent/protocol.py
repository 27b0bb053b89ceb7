"""What the agent and its client say to each other: one JSON object a line, each way.

A request is `{"id": 7, "op": "make", ...its arguments}`, its answer `{"id": 7, "ok": value}` or
`{"id": 7, "error": {"message": "...", "target_gone": false}}`; answers come in any order. Values
are those of `effects.encode`. Caveat: the last line of a conversation may have id 0: the reaper's
farewell, which says what it took back after the agent had died.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any, Dict, Optional

from harness.agent.effects import decode, encode

VERSION = 1
#: The id of a line that answers no request.
FAREWELL = 0


class Failed(Exception):
    """A request that could not be carried out; mechanisms raise it with a message for people."""

    target_gone = False


class TargetGone(Failed):
    """What was to be changed does not exist any more."""

    target_gone = True


class Malformed(ValueError):
    """A line that is no request, or no answer."""


@dataclass(frozen=True)
class Request:
    """`arguments` are decoded values, by name."""

    id: int
    op: str
    arguments: Dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Answer:
    """Either a value, or a `failure` in words."""

    id: int
    value: Any = None
    failure: Optional[str] = None
    target_gone: bool = False


def line_of(message: Any) -> bytes:
    """A `Request` or an `Answer` as it travels."""
    if isinstance(message, Request):
        data = {"id": message.id, "op": message.op, **encode(message.arguments)}
    elif message.failure is None:
        data = {"id": message.id, "ok": encode(message.value)}
    else:
        error = {"message": message.failure, "target_gone": message.target_gone}
        data = {"id": message.id, "error": error}
    return json.dumps(data, separators=(",", ":")).encode() + b"\n"


def request_of(line: bytes) -> Request:
    data = _object(line)
    number, op = data.pop("id", None), data.pop("op", None)
    if not isinstance(number, int) or not isinstance(op, str):
        raise Malformed(f"a request has an id and an op: {line[:200]!r}")
    return Request(number, op, decode(data))


def answer_of(line: bytes) -> Answer:
    data = _object(line)
    number = data.get("id")
    if not isinstance(number, int) or ("ok" in data) == ("error" in data):
        raise Malformed(f"an answer has an id, and ok or an error: {line[:200]!r}")
    if "ok" in data:
        return Answer(number, decode(data["ok"]))
    error = data["error"]
    return Answer(number, None, str(error["message"]), bool(error["target_gone"]))


def failure_of(number: int, error: BaseException) -> Answer:
    """An exception as an answer; one that nobody foresaw keeps its type's name."""
    if isinstance(error, Failed):
        return Answer(number, None, str(error), error.target_gone)
    return Answer(number, None, f"{type(error).__name__}: {error}")


def _object(line: bytes) -> Dict[str, Any]:
    try:
        data = json.loads(line)
    except ValueError:
        raise Malformed(f"not JSON: {line[:200]!r}") from None
    if not isinstance(data, dict):
        raise Malformed(f"not an object: {line[:200]!r}")
    return data
