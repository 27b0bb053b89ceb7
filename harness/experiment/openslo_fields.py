"""Values of OpenSLO files: shares, slices of time, annotations.

Its durations are m, h, d, w, M, Q and Y, without seconds; a plain number of a slice is minutes.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TypeVar

from harness.experiment import codes
from harness.experiment.fields import Fields, mapping, wrong

T = TypeVar("T")

_DURATION = re.compile(r"(\d+(?:\.\d+)?)([mhdw]?)")
_SECONDS = {"": 60.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0}


def choice(fields: Fields, key: str, choices: tuple[str, ...]) -> str:
    """One of the choices, which must be said; empty where it is not (and that is reported)."""
    found = fields.text(key)
    if found in choices:
        return found
    node = fields.node_of(key)
    if node is not None and found:
        said = f"{key} is {' or '.join(choices)}, not {found}"
        fields.problems.add(node.place, codes.CHOICE, said)
    elif not fields.has(key):
        said = f"{fields.shape.name} needs {key}"
        fields.problems.add(fields.node.place, codes.MISSING_KEY, said, " or ".join(choices))
    return ""


def number(
    fields: Fields, key: str, *, required: bool = True, lowest: float = 0.0,
    highest: float = float("inf"),
) -> float | None:  # fmt: skip
    """A number; None where there is none (and that is reported, if it is `required`)."""
    node = fields.node_of(key)
    if node is None:
        if required and not fields.has(key):
            said = f"{fields.shape.name} needs {key}"
            fields.problems.add(fields.node.place, codes.MISSING_KEY, said)
        return None
    if isinstance(node.data, bool) or not isinstance(node.data, (int, float)):
        wrong(node, f"{key} is a number", fields.problems)
        return None
    if not lowest < node.data <= highest:
        said = f"{key} is above {lowest:g}" + (f", at most {highest:g}" * (highest < float("inf")))
        fields.problems.add(node.place, codes.QUANTITY, said)
        return None
    return float(node.data)


def target(fields: Fields) -> float | None:
    """The share that must be good, from `target` or `targetPercent`; below 1 in either."""
    given = [key for key in ("target", "targetPercent") if fields.has(key)]
    if len(given) != 1:
        said = "an objective has either target or targetPercent"
        fields.problems.add(fields.node.place, codes.OPENSLO, said)
        return None
    whole = 100.0 if given[0] == "targetPercent" else 1.0
    value = number(fields, given[0], lowest=-1e-300, highest=whole)
    node = fields.node_of(given[0])
    if value == whole and node is not None:
        said = f"OpenSLO knows no {given[0]} of {whole:g}: it is below"
        fields.problems.add(node.place, codes.QUANTITY, said)
        return None
    return None if value is None else round(value / whole, 12)


def slice_window(fields: Fields) -> float:
    """Seconds of a slice; 0 where it is not said (and that is reported)."""
    node = fields.node_of("timeSliceWindow")
    if node is None:
        said = f"{fields.shape.name} needs timeSliceWindow"
        fields.problems.add(fields.node.place, codes.MISSING_KEY, said, "for example 1m")
        return 0.0
    match = _DURATION.fullmatch(node.raw)
    seconds = float(match[1]) * _SECONDS[match[2]] if match else 0.0
    if seconds <= 0:
        said = f"{node.raw or node.what} is no length of a slice"
        hint = "m, h, d or w, or a number of minutes"
        fields.problems.add(node.place, codes.QUANTITY, said, hint)
    return seconds


def annotation(fields: Fields, name: str, read: Callable[[str], T], default: T) -> T:
    """Our own annotation, whatever stands before the slash; others are those of others."""
    node = fields.node_of("annotations")
    entries = mapping(node, "annotations", fields.problems) if node else {}
    for key, entry in entries.items():
        _, slash, last = key.rpartition("/")
        if slash and last == name:
            try:
                return read(entry.value.raw)
            except ValueError as error:  # BadQuantity is one
                fields.problems.add(entry.value.place, codes.QUANTITY, f"{name}: {error}")
    return default
