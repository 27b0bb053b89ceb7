"""Quantities as people write them: `200ms`, `5 %`, `10mbit`, `200/s`.

Each quantity is a float in its base unit (seconds, share of one, bits per second, per second,
bytes) that remembers nothing else; `str` writes it as a person would. A bare number is refused:
a unit is what makes a file readable.
"""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING, Any, ClassVar, Self

if TYPE_CHECKING:
    from pydantic import GetCoreSchemaHandler
    from pydantic_core import CoreSchema

_NUMBER = re.compile(r"\s*([+-]?\d+(?:\.\d+)?(?:e[+-]?\d+)?)\s*([^\d\s.].*?)?\s*", re.IGNORECASE)


class BadQuantity(ValueError):
    """Text that is not such a quantity; the message says what would be."""


class Quantity(float):
    """A number with a unit. Subclasses say which units there are."""

    units: ClassVar[dict[str, float]] = {}
    what: ClassVar[str] = "a quantity"
    example: ClassVar[str] = ""
    lowest: ClassVar[float] = 0.0
    highest: ClassVar[float] = math.inf

    @classmethod
    def parse(cls, text: object) -> Self:
        """Read `text`; raises `BadQuantity`."""
        if isinstance(text, cls):
            return text
        if isinstance(text, bool) or not isinstance(text, (str, int, float)):
            raise BadQuantity(f"{text!r} is not {cls.what}; write for example {cls.example}")
        match = _NUMBER.fullmatch(str(text))
        if match is None:
            raise BadQuantity(f"{str(text)!r} is not {cls.what}; write for example {cls.example}")
        return cls(cls._checked(float(match[1]) * cls._factor(text, match[2] or ""), text))

    @classmethod
    def _factor(cls, text: object, unit: str) -> float:
        found = cls.units.get(unit, cls.units.get(unit.lower()))
        if found is not None:
            return found
        known = ", ".join(unit for unit in cls.units if unit)
        if unit:
            raise BadQuantity(f"{str(text)!r}: {unit!r} is no unit of {cls.what}; units: {known}")
        if float(str(text)) == 0:
            return 0.0
        raise BadQuantity(f"{str(text)!r} has no unit; {cls.what} is written like {cls.example}")

    @classmethod
    def _checked(cls, value: float, text: object) -> float:
        if not cls.lowest <= value <= cls.highest:
            raise BadQuantity(
                f"{str(text)!r} is out of range for {cls.what}: {cls(cls.lowest)} to "
                + (str(cls(cls.highest)) if math.isfinite(cls.highest) else "any")
            )
        return value

    def __str__(self) -> str:
        return f"{float(self):g}"

    def __repr__(self) -> str:
        return f"{type(self).__name__}({float(self):g})"

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        from pydantic_core import core_schema

        return core_schema.no_info_plain_validator_function(
            cls.parse, serialization=core_schema.to_string_ser_schema()
        )

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: Any, handler: Any) -> dict[str, Any]:
        return {"type": "string", "description": f"{cls.what}, like {cls.example}"}


def _scaled(value: float, steps: tuple[tuple[float, str], ...]) -> str:
    for factor, unit in steps:
        if abs(value) >= factor:
            return f"{value / factor:.4g}{unit}"
    return f"{value:.4g}{steps[-1][1]}" if value else f"0{steps[-1][1]}"


class Duration(Quantity):
    """Seconds."""

    units: ClassVar = {
        "ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "min": 60.0,
        "h": 3600.0, "d": 86400.0,
    }  # fmt: skip
    what = "a duration"
    example = "200ms or 5s"

    def __str__(self) -> str:
        if 0 < abs(self) < 1:
            return _scaled(self, ((1e-3, "ms"), (1e-6, "us")))
        if self >= 120 and self % 60 == 0:
            return f"{float(self) / 60:g}min"
        return f"{float(self):.6g}s"


class Share(Quantity):
    """A share of one, written in per cent."""

    units: ClassVar = {"%": 0.01}
    what = "a share"
    example = "5%"
    highest = 1.0

    def __str__(self) -> str:
        return f"{float(self) * 100:.10g}%"


class Rate(Quantity):
    """Per second."""

    units: ClassVar = {"/s": 1.0, "/m": 1 / 60, "/min": 1 / 60, "/h": 1 / 3600, "per s": 1.0}
    what = "a rate"
    example = "200/s"

    def __str__(self) -> str:
        return f"{float(self):.6g}/s"


class Bandwidth(Quantity):
    """Bits per second, decimal prefixes."""

    units: ClassVar = {
        "bit": 1.0, "kbit": 1e3, "mbit": 1e6, "gbit": 1e9,
        "bit/s": 1.0, "kbit/s": 1e3, "mbit/s": 1e6, "gbit/s": 1e9,
    }  # fmt: skip
    what = "a bandwidth"
    example = "10mbit"
    lowest = 1.0

    def __str__(self) -> str:
        return _scaled(self, ((1e9, "gbit"), (1e6, "mbit"), (1e3, "kbit"), (1.0, "bit")))


class Size(Quantity):
    """Bytes."""

    units: ClassVar = {
        "B": 1.0, "KB": 1e3, "MB": 1e6, "GB": 1e9,
        "KiB": 1024.0, "MiB": 1048576.0, "GiB": 1073741824.0,
    }  # fmt: skip
    what = "a size"
    example = "50MiB"

    def __str__(self) -> str:
        steps = ((1073741824.0, "GiB"), (1048576.0, "MiB"), (1024.0, "KiB"), (1.0, "B"))
        return _scaled(self, steps)
