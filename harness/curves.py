"""Quantities over time, as people write them.

    200ms                                          constant
    {ramp: 0ms..400ms, over: 20s}                  a straight line; then it stays
    {step: [0ms, 100ms, 300ms], every: 5s}         each for so long; the last one stays
    {pulse: 0ms..400ms, every: 10s, for: 2s}       again and again: the second value for 2s first
    {sine: 50/s..500/s, every: 60s}                up and down, from the first value
    {trace: friday.csv}                            lines like `90s,120/s`, joined by straight lines

`Varying[Duration]` takes any of them. A sine is drawn by straight lines, 32 a period: never more
than half a per cent of its height off.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Generic, TypeVar

from harness.units import BadQuantity, Duration, Quantity

if TYPE_CHECKING:
    from pydantic import GetCoreSchemaHandler, ValidationInfo
    from pydantic_core import CoreSchema

Q = TypeVar("Q", bound=Quantity)
Given = dict[Any, Any]

_SINE_LINES = 32
_MOST_LINES = 10_000


@dataclass(frozen=True)
class Varying(Generic[Q]):
    """A quantity over time. `points` are (seconds, value); with `every` they begin anew each time
    so much has passed. `text` is how the file said it."""

    points: tuple[tuple[float, float], ...]
    smooth: bool
    text: str
    every: float = 0.0

    @property
    def is_constant(self) -> bool:
        return len(self.points) == 1

    @property
    def peak(self) -> float:
        return max(value for _, value in self.points)

    def __str__(self) -> str:
        return self.text

    @classmethod
    def of(cls, quantity: type[Q], value: object, directory: Path = Path()) -> Varying[Q]:
        """Read a constant or a curve of `quantity`; files count from `directory`.

        Raises `BadQuantity`.
        """
        if isinstance(value, Varying):
            return value
        if not isinstance(value, dict):
            constant = quantity.parse(value)
            return Varying(((0.0, float(constant)),), True, str(constant))
        return _curve(quantity, value, directory)

    def __class_getitem__(cls, quantity: Any) -> Any:
        if not (isinstance(quantity, type) and issubclass(quantity, Quantity)):
            return super().__class_getitem__(quantity)  # type: ignore[misc]
        return Annotated[Varying, _Reader(quantity)]


def _curve(quantity: type[Q], value: Given, directory: Path) -> Varying[Q]:
    names = [name for name in CURVES if name in value]
    if len(names) != 1:
        example = f"{{ramp: {_ends(quantity)}, over: 20s}}"
        raise BadQuantity(f"a curve is one of {', '.join(CURVES)}, like {example}")
    kind = CURVES[names[0]]
    if odd := set(value) ^ set(kind.keys):
        verb = "does not take" if odd & set(value) else "needs"
        raise BadQuantity(f"{names[0]} {verb} {', '.join(sorted(map(str, odd)))}")
    return kind.read(quantity, value, directory)


def _ramp(quantity: type[Q], value: Given, _directory: Path) -> Varying[Q]:
    low, high = _two(quantity, value, "ramp")
    over = _time(value, "over")
    points = ((0.0, float(low)), (over, float(high)))
    return Varying(points, True, f"{low}..{high} over {over}")


def _step(quantity: type[Q], value: Given, _directory: Path) -> Varying[Q]:
    if not isinstance(value["step"], list) or not value["step"]:
        raise BadQuantity(f"step takes a list of values, like [{quantity.example.split()[0]}]")
    values = [quantity.parse(item) for item in value["step"]]
    every = _time(value, "every")
    points = tuple((i * float(every), float(v)) for i, v in enumerate(values))
    return Varying(points, False, f"{', '.join(map(str, values))} every {every}")


def _pulse(quantity: type[Q], value: Given, _directory: Path) -> Varying[Q]:
    low, high = _two(quantity, value, "pulse")
    every, lasts = _time(value, "every"), _time(value, "for")
    if lasts >= every:
        raise BadQuantity(f"a pulse of {lasts} every {every} has no end")
    points = ((0.0, float(high)), (float(lasts), float(low)))
    return Varying(points, False, f"{low}..{high} for {lasts} every {every}", float(every))


def _sine(quantity: type[Q], value: Given, _directory: Path) -> Varying[Q]:
    low, high = _two(quantity, value, "sine")
    every = _time(value, "every")
    turns = [i / _SINE_LINES for i in range(_SINE_LINES + 1)]
    points = tuple(
        (turn * every, low + (high - low) * (1 - math.cos(2 * math.pi * turn)) / 2)
        for turn in turns
    )
    return Varying(points, True, f"{low}..{high} as a sine every {every}", float(every))


def _trace(quantity: type[Q], value: Given, directory: Path) -> Varying[Q]:
    path = directory / str(value["trace"])
    try:
        with path.open(newline="", encoding="utf-8") as file:
            rows = [row for row in csv.reader(file) if row]
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or error
        raise BadQuantity(f"{path} cannot be read: {why}") from None
    if not 0 < len(rows) <= _MOST_LINES:
        raise BadQuantity(f"{path} has {len(rows)} lines; a trace has 1 to {_MOST_LINES}")
    points = tuple(_line(quantity, path, n, row) for n, row in enumerate(rows, 1))
    if points[0][0] != 0 or any(a[0] >= b[0] for a, b in pairwise(points)):
        raise BadQuantity(f"{path}: times begin at 0s and go up")
    return Varying(points, True, f"trace {value['trace']}")


def _line(quantity: type[Q], path: Path, number: int, row: list[str]) -> tuple[float, float]:
    if len(row) != 2:
        example = quantity.example.split()[0]
        raise BadQuantity(f"{path}:{number}: a line is a time and a value, like 90s,{example}")
    try:
        return float(Duration.parse(row[0])), float(quantity.parse(row[1]))
    except BadQuantity as error:
        raise BadQuantity(f"{path}:{number}: {error}") from None


def _two(quantity: type[Q], value: Given, kind: str) -> tuple[Q, Q]:
    ends = str(value[kind]).split("..")
    if len(ends) != 2:
        raise BadQuantity(f"a {kind} goes from one value to another, like {_ends(quantity)}")
    return quantity.parse(ends[0]), quantity.parse(ends[1])


def _time(value: Given, key: str) -> Duration:
    time = Duration.parse(value[key])
    if time <= 0:
        raise BadQuantity(f"a curve needs time: {key} is 0")
    return time


def _ends(quantity: type[Q]) -> str:
    """An example of a ramp's two values."""
    example = quantity.example.split()[0]
    return f"{example}..{example}"


@dataclass(frozen=True)
class _Kind:
    keys: tuple[str, ...]
    read: Callable[[Any, Given, Path], Varying[Any]]


CURVES = {
    "ramp": _Kind(("ramp", "over"), _ramp),
    "step": _Kind(("step", "every"), _step),
    "pulse": _Kind(("pulse", "every", "for"), _pulse),
    "sine": _Kind(("sine", "every"), _sine),
    "trace": _Kind(("trace",), _trace),
}


def curve_schema() -> list[dict[str, Any]]:
    """JSON Schemas of a constant and of each curve."""
    text: dict[str, Any] = {"type": "string"}
    shapes = [_shape(dict.fromkeys(kind.keys, text)) for kind in CURVES.values()]
    shapes[1]["properties"]["step"] = {"type": "array", "items": text}
    return [text, *shapes]


def _shape(properties: dict[str, Any]) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


class _Reader:
    """Tells pydantic how to read `Varying[...]` and how its JSON schema looks.

    The context of a validation, where there is one, is the directory that files count from.
    """

    def __init__(self, quantity: type[Quantity]) -> None:
        self.quantity = quantity

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        from pydantic_core import core_schema

        def read(value: object, info: ValidationInfo) -> Varying[Any]:
            return Varying.of(self.quantity, value, info.context or Path())

        return core_schema.with_info_plain_validator_function(
            read, serialization=core_schema.to_string_ser_schema()
        )

    def __get_pydantic_json_schema__(self, schema: Any, handler: Any) -> dict[str, Any]:
        example = self.quantity.example.split()[0]
        return {
            "description": f"{self.quantity.what}, like {example}, or a curve of it",
            "anyOf": curve_schema(),
        }
