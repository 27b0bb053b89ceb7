"""The middle of an objective's line: its window, its operator, and the limit.

A limit is a quantity, or what another window of the same run had: `2x baseline`,
`baseline + 50MiB`, `0.9x during other`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from harness.experiment.indicators import Indicator
from harness.experiment.tokens import MisreadError, Token, Tokens, take_quantity

WINDOWS = ("baseline", "during", "after", "while")
OPERATORS = ("<", "<=", ">", ">=")

_TIMES = re.compile(r"(\d+(?:\.\d+)?)[x×]")


@dataclass(frozen=True)
class Window:
    kind: str = ""
    id: str = ""


@dataclass(frozen=True)
class Limit:
    """`amount`, on top of `factor` times what the indicator is in the window `than`, if any."""

    amount: float
    factor: float = 1.0
    than: Window = Window()


def read_window(tokens: Tokens, indicator: Indicator) -> Window:
    """The window that comes next; none is a window, too."""
    if not tokens.sees(*WINDOWS):
        return Window()
    word = tokens.take("a window")
    recovery = indicator.name == "recovery"
    if recovery != (word.text in ("after", "while")) and (recovery or word.text == "while"):
        said = "recovery is `after ID` or `while ID`" if recovery else "`while` is for recovery"
        raise MisreadError(word.offset, said, "" if recovery else "write during")
    return _with_id(tokens, word.text)


def _with_id(tokens: Tokens, kind: str) -> Window:
    if kind == "baseline" or tokens.peek() is None or tokens.sees(*OPERATORS, "at", "+", "-"):
        return Window(kind)
    return Window(kind, tokens.take("an id").text)


def read_operator(tokens: Tokens, indicator: Indicator, *, reverse: bool) -> str:
    """The operator; `reverse` where a line says what is bad instead of what is good."""
    higher = indicator.higher_is_better != reverse
    right = (">=", ">") if higher else ("<", "<=")
    word = tokens.take("an operator")
    if word.text not in OPERATORS:
        said = f"an operator belongs here, not {word.text!r}"
        raise MisreadError(word.offset, said, f"write {right[0]}")
    if word.text not in right:
        side, better = ("bad", not indicator.higher_is_better) if reverse else ("good", higher)
        said = f"{indicator.name} is {side} when {'higher' if better else 'lower'}"
        raise MisreadError(word.offset, said, f"write {right[0]} or {right[1]}")
    return word.text


def read_limit(tokens: Tokens, indicator: Indicator) -> Limit:
    word = tokens.peek()
    times = _TIMES.fullmatch(word.text) if word else None
    if word is not None and times:
        return _times(tokens, indicator, tokens.take("a factor"), float(times[1]))
    if word is not None and tokens.sees("baseline", "during", "after"):
        return Limit(_offset(tokens, indicator, than := _than(tokens, indicator)), 1.0, than)
    return Limit(take_quantity(tokens, indicator.limit, "after the operator"))


def _times(tokens: Tokens, indicator: Indicator, word: Token, factor: float) -> Limit:
    if not tokens.sees("baseline", "during", "after"):
        offset = word.offset + len(word.text)
        raise MisreadError(offset, f"{word.text} of which window is missing", "write 2x baseline")
    if factor <= 0:
        raise MisreadError(word.offset, "nothing is compared with 0 times something")
    return Limit(0.0, factor, _than(tokens, indicator))


def _than(tokens: Tokens, indicator: Indicator) -> Window:
    word = tokens.take("a window")
    if indicator.name == "recovery":
        raise MisreadError(word.offset, "recovery is compared with a time", "like recovery < 5s")
    return _with_id(tokens, word.text)


def _offset(tokens: Tokens, indicator: Indicator, than: Window) -> float:
    """What stands behind `baseline + ` or `baseline - `; 0 where nothing does."""
    word = tokens.peek()
    if word is None or word.text[0] not in "+-":
        return 0.0
    tokens.split(1)
    sign = -1.0 if tokens.take("a sign").text == "-" else 1.0
    return sign * take_quantity(tokens, indicator.limit, f"on top of {than.kind}")
