"""The words of an objective's line, each with its place in it."""

from __future__ import annotations

import re
from dataclasses import dataclass

from harness.units import BadQuantity, Quantity

_TOKEN = re.compile(
    r"""\s*(?P<word>
        <= | >= | == | != | [<>=!]
      | \( (?: [^()"] | "[^"]*" )* \)       # a request's name, quoted where it has parentheses
      | [^\s()<>=!]+
      | \S )""",
    re.VERBOSE,
)


class MisreadError(ValueError):
    """A line that is not an objective; `offset` is where reading stopped."""

    def __init__(self, offset: int, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.offset = offset
        self.message = message
        self.hint = hint


@dataclass(frozen=True)
class Token:
    text: str
    offset: int


class Tokens:
    """The words of a line, one after the other."""

    def __init__(self, text: str) -> None:
        self.end = len(text.rstrip())
        self._words = [Token(m["word"], m.start("word")) for m in _TOKEN.finditer(text)]

    def peek(self) -> Token | None:
        return self._words[0] if self._words else None

    def sees(self, *texts: str) -> bool:
        """Whether one of these words comes next."""
        return bool(self._words) and self._words[0].text in texts

    def take(self, expected: str) -> Token:
        if not self._words:
            raise MisreadError(
                self.end, f"{expected} is missing", "run `harness explain objectives`"
            )
        return self._words.pop(0)

    def split(self, length: int) -> None:
        """Make the first characters of the next word a word of their own."""
        word = self._words[0]
        if len(word.text) > length:
            rest = Token(word.text[length:], word.offset + length)
            self._words[:1] = [Token(word.text[:length], word.offset), rest]


def take_quantity(tokens: Tokens, quantity: type[Quantity], where: str) -> float:
    """A quantity in its base unit."""
    word = tokens.take(f"{quantity.what} {where}")
    text, follows = word.text, tokens.peek()
    if follows is not None and follows.text in quantity.units:  # `5 %` reads as well as `5%`
        text += tokens.take("a unit").text
    try:
        return round(float(quantity.parse(text)), 12)  # 99.9% is 0.999, not 0.9990000000000001
    except BadQuantity as error:
        raise MisreadError(word.offset, str(error)) from None
