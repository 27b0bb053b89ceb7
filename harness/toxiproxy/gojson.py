"""JSON as Go's `encoding/json` reads and writes it: what Toxiproxy's clients have come to rely on.

The first value of a text counts and what follows is ignored; names of fields match in any case; a
null leaves a field as it was; unknown fields are ignored; a number is an integer only when it is
written as one. The first wrong field is the error, the rest is filled in all the same.
"""

from __future__ import annotations

import json
import re
import struct
from collections.abc import Callable
from decimal import Decimal
from typing import Any

_INTEGER = re.compile(r"-?\d+")
_LEAST, _MOST = -(1 << 63), (1 << 63) - 1
_MOST_FLOAT = 3.4028235677973366e38  # rounds to the greatest float32
_ESCAPED = {ord(c): f"\\u{ord(c):04x}" for c in "<>&\u2028\u2029"}
_HALVES = re.compile("[\ud800-\udfff]")


class Wrong(Exception):
    """A body that cannot be read, or a field of another type."""


class Number(str):
    """A number as it was written."""

    __slots__ = ()


Pairs = list[tuple[str, Any]]  # an object: its members in order
Field = Callable[[Any], Any]  # from what was read to the field's value; raises `Wrong`


def read(body: bytes) -> Any:
    """The first value: str, Number, bool, None, list, or tuple of pairs for an object."""
    text = body.decode("utf-8", "replace").lstrip(" \t\r\n")
    if not text:
        raise Wrong("EOF")
    try:
        return _DECODER.raw_decode(text)[0]
    except json.JSONDecodeError as error:
        raise Wrong(f"invalid JSON at offset {error.pos}: {error.msg}") from None
    except (RecursionError, ValueError) as error:
        raise Wrong(f"invalid JSON: {error}") from None


def fill(value: Any, fields: dict[str, Field], into: dict[str, Any]) -> None:
    """Set the fields that an object has. Raises `Wrong` for the first that does not fit, after all
    others were set."""
    wrong = None
    for name, given in members(value):
        field = name if name in fields else _in_any_case(name, fields)
        if field is None or given is None:
            continue
        try:
            into[field] = fields[field](given)
        except Wrong as error:
            wrong = wrong or Wrong(f"{field}: {error}")
    if wrong is not None:
        raise wrong


def members(value: Any) -> tuple[tuple[str, Any], ...]:
    """Of an object; null has none."""
    if value is None:
        return ()
    if not isinstance(value, tuple):
        raise Wrong(f"cannot unmarshal {kind(value)} into an object")
    return value


def a_string(value: Any) -> str:
    if not isinstance(value, str) or isinstance(value, Number):
        raise Wrong(f"cannot unmarshal {kind(value)} into a string")
    return _HALVES.sub("\ufffd", value)


def a_bool(value: Any) -> bool:
    if not isinstance(value, bool):
        raise Wrong(f"cannot unmarshal {kind(value)} into a bool")
    return value


def an_int(value: Any) -> int:
    """64 bits."""
    if not isinstance(value, Number) or not _INTEGER.fullmatch(value) or len(value) > 20:
        raise Wrong(f"cannot unmarshal {kind(value)} into an int64")
    number = int(value)
    if not _LEAST <= number <= _MOST:
        raise Wrong(f"cannot unmarshal number {value} into an int64")
    return number


def a_float32(value: Any) -> float:
    if not isinstance(value, Number):
        raise Wrong(f"cannot unmarshal {kind(value)} into a float32")
    number = float(value)
    if abs(number) >= _MOST_FLOAT:
        raise Wrong(f"cannot unmarshal number {value} into a float32")
    return single(number)


def an_object(value: Any) -> Any:
    members(value)
    return value


def single(number: float) -> float:
    """The nearest float32."""
    return float(struct.unpack("f", struct.pack("f", number))[0])


def kind(value: Any) -> str:
    if isinstance(value, bool):
        return "bool"
    if isinstance(value, Number):
        return "number"
    return {str: "string", list: "array", tuple: "object", type(None): "null"}[type(value)]


def write(value: Any) -> str:
    """Compact, members in their order; `<`, `>` and `&` escaped; floats are float32."""
    if isinstance(value, dict):
        return "{" + ",".join(f"{write(key)}:{write(item)}" for key, item in value.items()) + "}"
    if isinstance(value, (list, tuple)):
        return "[" + ",".join(map(write, value)) + "]"
    if isinstance(value, float):
        return _shortest(value)
    text = json.dumps(value, ensure_ascii=False)
    return text.translate(_ESCAPED) if isinstance(value, str) else text


def _shortest(number: float) -> str:
    """As few digits as tell a float32 from its neighbours."""
    digits = next(d for p in range(9) if single(float(d := f"{number:.{p}e}")) == number or p == 8)
    if number and not single(1e-6) <= abs(number) < single(1e21):
        return digits.replace("e-0", "e-")
    return format(Decimal(digits), "f")


def _in_any_case(name: str, fields: dict[str, Field]) -> str | None:
    folded = name.casefold()
    return next((field for field in fields if field.casefold() == folded), None)


def _no_constant(name: str) -> None:
    raise Wrong(f"invalid JSON: {name}")


_DECODER = json.JSONDecoder(
    object_pairs_hook=tuple, parse_int=Number, parse_float=Number, parse_constant=_no_constant
)
