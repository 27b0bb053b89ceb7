"""The one-line grammar of objectives and abort conditions.

    INDICATOR OPERATOR LIMIT [WINDOW] [at CONFIDENCE]     p99(pay) < 900ms during slow-db
    INDICATOR OPERATOR LIMIT for DURATION                 errors > 50% for 3s

The window may also stand before the operator: `recovery while slow-db < 3s`. What cannot be read
raises `MisreadError` with the offset of the character, so that a caret can point at it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import NoReturn

from harness.experiment.model import Abort, Objective
from harness.experiment.problems import nearest
from harness.units import BadQuantity, Duration, Quantity, Rate, Share

GRAMMAR = """\
An objective is one line:

    INDICATOR OPERATOR LIMIT [WINDOW] [at CONFIDENCE]

  availability >= 99.9% baseline          good requests of those that were due
  errors(pay) < 0.1%                      failed requests of those that were due, named pay
  p99 < 250ms during slow-db              latency from the due time; p50, p95, p99.9 …
  throughput >= 150/s during slow-db      good answers per second
  recovery < 5s after slow-db             until the users are served again: from the removal of a
                                          condition, from the act of an event
  recovery < 3s while slow-db             self-healing: from the beginning, while it is on
  availability(journeys) >= 99%           whole tasks instead of requests
  availability >= 99.9% baseline at 95%   a claim in general, with its confidence

Windows: `baseline` before the first fault; `during ID`; `after ID`; `during` and `after` alone for
all faults; none: from the first fault to the end (without faults, the whole run).
Without `at`, an objective is a count of this run.

An abort condition (guard) is judged on live measurements:

    INDICATOR OPERATOR LIMIT for DURATION        errors > 50% for 3s
"""


@dataclass(frozen=True)
class _Indicator:
    name: str
    limit: type[Quantity]
    higher_is_better: bool


_INDICATORS = {
    "availability": _Indicator("availability", Share, higher_is_better=True),
    "errors": _Indicator("errors", Share, higher_is_better=False),
    "throughput": _Indicator("throughput", Rate, higher_is_better=True),
    "recovery": _Indicator("recovery", Duration, higher_is_better=False),
}
_LATENCY = _Indicator("latency", Duration, higher_is_better=False)
_WINDOWS = ("baseline", "during", "after", "while")
_QUANTILE = re.compile(r"p(\d{1,2}(?:\.\d{1,4})?)")
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
class _Token:
    text: str
    offset: int


@dataclass(frozen=True)
class _Subject:
    indicator: _Indicator
    quantile: float
    name: str
    journeys: bool


@dataclass(frozen=True)
class _Window:
    kind: str = ""
    id: str = ""


def read_objective(text: str, *, severity: str = "fail", line: int = 0) -> Objective:
    """Parse one line; raises `MisreadError`."""
    tokens = _Tokens(text)
    subject = _subject(tokens)
    window = _window(tokens, subject)
    op, limit = _comparison(tokens, subject.indicator, reverse=False)
    confidence = 0.0
    while word := tokens.peek():
        if word.text == "at" and not confidence:
            confidence = _confidence(tokens)
        elif word.text in _WINDOWS and not window.kind:
            window = _window(tokens, subject)
        else:
            _leftover(word, window, confidence)
    if subject.indicator.name == "recovery" and not window.kind:
        window = _Window("after")
    return Objective(
        text, subject.indicator.name, op, limit, subject.quantile, subject.name,
        subject.journeys, window.kind, window.id, confidence, severity, line,
    )  # fmt: skip


def read_abort(text: str) -> Abort:
    """Parse an abort condition; raises `MisreadError`."""
    tokens = _Tokens(text)
    subject = _subject(tokens)
    name = subject.indicator.name
    if name == "recovery" or subject.name or subject.journeys:
        said = "an abort condition is on all requests: availability, errors, p99, throughput"
        raise MisreadError(0, said, "for example errors > 50% for 3s")
    op, limit = _comparison(tokens, subject.indicator, reverse=True)
    word = tokens.peek()
    if word is None or word.text != "for":
        offset = word.offset if word else tokens.end
        said = "`for` and how long it must hold are missing"
        raise MisreadError(offset, said, f"for example {text[:offset].strip()} for 3s")
    tokens.take("for")
    lasts = _quantity(tokens, Duration, "after `for`")
    if rest := tokens.peek():
        raise MisreadError(rest.offset, f"{rest.text!r} is too much here")
    if lasts <= 0:
        raise MisreadError(tokens.end - 1, "it must hold for more than 0s")
    return Abort(text, name, op, limit, subject.quantile, Duration(lasts))


class _Tokens:
    """The words of a line, one after the other."""

    def __init__(self, text: str) -> None:
        self.end = len(text.rstrip())
        self._words = [_Token(m["word"], m.start("word")) for m in _TOKEN.finditer(text)]

    def peek(self) -> _Token | None:
        return self._words[0] if self._words else None

    def take(self, expected: str) -> _Token:
        if not self._words:
            raise MisreadError(
                self.end, f"{expected} is missing", "run `harness explain objectives`"
            )
        return self._words.pop(0)


def _subject(tokens: _Tokens) -> _Subject:
    word = tokens.take("an indicator")
    indicator, quantile = _indicator(word)
    name, journeys = "", False
    follows = tokens.peek()
    if follows is not None and follows.text.startswith("("):
        name, journeys = _of(tokens.take("a name"))
    if indicator.name == "recovery" and name:
        raise MisreadError(
            word.offset, "recovery is of all requests", "write recovery without a name"
        )
    return _Subject(indicator, quantile, name, journeys)


def _indicator(word: _Token) -> tuple[_Indicator, float]:
    if word.text in _INDICATORS:
        return _INDICATORS[word.text], 0.0
    quantile = _QUANTILE.fullmatch(word.text)
    if quantile and 0 < float(quantile[1]) < 100:
        return _LATENCY, round(float(quantile[1]) / 100, 8)
    known = ("availability", "errors", "throughput", "recovery", "p50", "p90", "p95", "p99")
    likely = nearest(word.text, known)
    hint = f"did you mean {likely}?" if likely else "write for example availability, errors, p99"
    raise MisreadError(word.offset, f"{word.text!r} is not an indicator", hint)


def _of(word: _Token) -> tuple[str, bool]:
    """`(pay)`, `("GET /x (old)")`, `(journeys)` or `(journeys checkout)`."""
    if not word.text.endswith(")"):
        raise MisreadError(word.offset, "a parenthesis that is not closed", "like p99(pay)")
    inside = word.text[1:-1].strip()
    if not inside:
        raise MisreadError(
            word.offset, "the parenthesis needs a request's name", 'like (pay), ("a b")'
        )
    if inside == "journeys":
        return "", True
    if inside.startswith("journeys "):
        return inside.removeprefix("journeys ").strip().strip('"'), True
    return inside.strip('"'), False


def _comparison(tokens: _Tokens, what: _Indicator, *, reverse: bool) -> tuple[str, float]:
    higher = what.higher_is_better != reverse
    right = (">=", ">") if higher else ("<", "<=")
    word = tokens.take("an operator")
    if word.text in ("<", "<=", ">", ">="):
        if word.text not in right:
            side, better = ("bad", not what.higher_is_better) if reverse else ("good", higher)
            said = f"{what.name} is {side} when {'higher' if better else 'lower'}"
            raise MisreadError(word.offset, said, f"write {right[0]} or {right[1]}")
        return word.text, _quantity(tokens, what.limit, "after the operator")
    raise MisreadError(
        word.offset, f"an operator belongs here, not {word.text!r}", f"write {right[0]}"
    )


def _quantity(tokens: _Tokens, quantity: type[Quantity], where: str) -> float:
    word = tokens.take(f"{quantity.what} {where}")
    text, follows = word.text, tokens.peek()
    if follows is not None and follows.text in quantity.units:  # `5 %` reads as well as `5%`
        text += tokens.take("a unit").text
    try:
        return round(float(quantity.parse(text)), 12)  # 99.9% is 0.999, not 0.9990000000000001
    except BadQuantity as error:
        raise MisreadError(word.offset, str(error)) from None


def _window(tokens: _Tokens, subject: _Subject) -> _Window:
    word = tokens.peek()
    if word is None or word.text not in _WINDOWS:
        return _Window()
    tokens.take("a window")
    kind = word.text
    recovery = subject.indicator.name == "recovery"
    if recovery != (kind in ("after", "while")) and (recovery or kind == "while"):
        said = "recovery is `after ID` or `while ID`" if recovery else "`while` is for recovery"
        raise MisreadError(word.offset, said, "" if recovery else "write during")
    follows = tokens.peek()
    if kind == "baseline" or follows is None or follows.text in ("<", "<=", ">", ">=", "at"):
        return _Window(kind)
    return _Window(kind, tokens.take("an id").text)


def _confidence(tokens: _Tokens) -> float:
    tokens.take("at")
    word = tokens.peek()
    value = _quantity(tokens, Share, "after `at`")
    if not 0.5 <= value < 1:
        raise MisreadError(
            word.offset if word else 0, "a confidence is from 50% to below 100%", "at 95%"
        )
    return value


def _leftover(word: _Token, window: _Window, confidence: float) -> NoReturn:
    if word.text in _WINDOWS and window.kind:
        raise MisreadError(word.offset, f"a second window; {window.kind} is there already")
    if word.text == "at" and confidence:
        raise MisreadError(word.offset, "a second confidence")
    likely = nearest(word.text, (*_WINDOWS, "at"))
    hint = f"did you mean {likely}?" if likely else "a window or `at 95%` could follow"
    raise MisreadError(word.offset, f"{word.text!r} is not expected here", hint)
