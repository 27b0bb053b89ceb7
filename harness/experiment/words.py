"""What an unquoted word of YAML means here: text, a decimal number, true, false or nothing.

YAML 1.1 sees more in words than people do; what it would read otherwise than it looks is a
`Surprise`, and refused rather than guessed.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

Scalar = str | int | float | bool | None


@dataclass(frozen=True)
class Surprise:
    said: str
    hint: str


def meaning(word: str) -> Scalar:
    """The value of an unquoted word."""
    if word.lower() in _CONSTANTS:
        return _CONSTANTS[word.lower()]
    number = _NUMBER.fullmatch(word)
    if number is None or len(word) > 40:
        return word
    return float(word) if number[2] or number[3] else int(word)


def surprise(word: str) -> Surprise | None:
    """Why this word cannot stand unquoted."""
    for pattern, said, cure in _SURPRISES:
        if pattern.fullmatch(word):
            return Surprise(said.format(word), f'{cure}quote it: "{word}"')
    return None


_CONSTANTS: dict[str, Scalar] = {"": None, "~": None, "null": None, "true": True, "false": False}
_NUMBER = re.compile(r"[-+]?(0|[1-9]\d*)(\.\d+)?([eE][-+]?\d+)?", re.ASCII)
_DECIMAL = "write it in decimal, or "
_SURPRISES = tuple(
    (re.compile(pattern, re.ASCII), said, cure)
    for pattern, said, cure in (
        (r"(?i)yes|on", "YAML reads {} as true", "write true, or "),
        (r"(?i)no|off", "YAML reads {} as false", "write false, or "),
        (
            r"[-+]?\d[\d_]*(:[0-5]?\d)+(\.[\d_]*)?",
            "YAML reads {} as a number to base sixty",
            "write a unit, like 90s, or ",
        ),
        (r"[-+]?0[\d_]+", "YAML reads {} as an octal number", _DECIMAL),
        (r"[-+]?0(x[\da-fA-F_]+|b[01_]+|o[0-7]+)", "{} is not a decimal number", _DECIMAL),
        (
            r"[-+]?\d+_[\d_]*(\.[\d_]*)?",
            "YAML drops the underscores of {}",
            "write the number without them, or ",
        ),
        (
            r"(?i)[-+]?\.(inf|nan)|[-+]?(\.\d+|\d+\.)(e[-+]?\d+)?",
            "{} is not a number as it is written here",
            "write digits on both sides of the point, or ",
        ),
        (r"\d{4}-\d\d?-\d\d?([Tt ].*)?", "YAML reads {} as a date", ""),
    )
)
