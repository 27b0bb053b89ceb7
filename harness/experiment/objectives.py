"""The one-line grammar of objectives and abort conditions.

    INDICATOR OPERATOR LIMIT [WINDOW] [at CONFIDENCE]     p99(pay) < 900ms during slow-db
    INDICATOR OPERATOR LIMIT for DURATION                 errors > 50% for 3s

The window may also stand before the operator: `recovery while slow-db < 3s`. What cannot be read
raises `MisreadError` with the offset of the character, so that a caret can point at it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NoReturn

from harness.experiment.comparisons import (
    WINDOWS,
    Limit,
    Window,
    read_limit,
    read_operator,
    read_window,
)
from harness.experiment.indicators import ELSEWHERE, Indicator, read_indicator
from harness.experiment.model import Abort, Objective
from harness.experiment.problems import nearest
from harness.experiment.tokens import MisreadError, Token, Tokens, take_quantity
from harness.units import Duration, Share

__all__ = ["GRAMMAR", "MisreadError", "read_abort", "read_objective"]

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
  memory(api) < 512MiB                    the most that any replica of a service held
  availability(journeys) >= 99%           whole tasks instead of requests
  availability >= 99.9% baseline at 95%   a claim in general, with its confidence

The limit may be what another window of the same run had. Chance alone makes two windows differ, so
such a line is decided only where the difference is more than that (5 % error to either side):

  p99 during slow-db < 2x baseline        a multiple of it
  memory(api) after < baseline + 50MiB    so much more, or less: availability >= baseline - 0.1%

Windows: `baseline` before the first fault; `during ID`; `after ID`; `during` and `after` alone for
all faults; none: from the first fault to the end (without faults, the whole run).
Without `at`, an objective is a count of this run.

`include: {targets: enterprise, only: [latency]}` in place of a line takes objectives from a
ReliabilityTargets file, shipped or named by its path, or from an OpenSLO v1 file. Their indicators
durability, detection, rollback, rto and failover are not measured by a load: INCONCLUSIVE.

An abort condition (guard) is judged on live measurements:

    INDICATOR OPERATOR LIMIT for DURATION        errors > 50% for 3s
"""

_COUNTED = ("availability", "errors", "latency", "throughput")


@dataclass(frozen=True)
class _Subject:
    indicator: Indicator
    quantile: float
    name: str
    journeys: bool
    offset: int


def read_objective(text: str, *, severity: str = "fail", line: int = 0) -> Objective:
    """Parse one line; raises `MisreadError`."""
    tokens = Tokens(text)
    subject = _subject(tokens)
    window = read_window(tokens, subject.indicator)
    op = read_operator(tokens, subject.indicator, reverse=False)
    limit = read_limit(tokens, subject.indicator)
    confidence = 0.0
    while word := tokens.peek():
        if word.text == "at" and not confidence:
            confidence = _confidence(tokens, subject, limit)
        elif word.text in WINDOWS and not window.kind:
            window = read_window(tokens, subject.indicator)
        else:
            _leftover(word, window, confidence)
    if subject.indicator.name == "recovery" and not window.kind:
        window = Window("after")
    if limit.than.kind and limit.than == window:
        raise MisreadError(subject.offset, "this compares a window with itself")
    return Objective(
        text, subject.indicator.name, op, limit.amount, subject.quantile, subject.name,
        subject.journeys, window.kind, window.id, confidence, severity, line,
        than=limit.than.kind, than_id=limit.than.id, factor=limit.factor,
    )  # fmt: skip


def read_abort(text: str) -> Abort:
    """Parse an abort condition; raises `MisreadError`."""
    tokens = Tokens(text)
    subject = _subject(tokens)
    name = subject.indicator.name
    if name not in _COUNTED or subject.name or subject.journeys:
        said = "an abort condition is on all requests: availability, errors, p99, throughput"
        raise MisreadError(0, said, "for example errors > 50% for 3s")
    op = read_operator(tokens, subject.indicator, reverse=True)
    limit = take_quantity(tokens, subject.indicator.limit, "after the operator")
    return Abort(text, name, op, limit, subject.quantile, _lasts(tokens, text))


def _lasts(tokens: Tokens, text: str) -> Duration:
    """`for 3s`, and nothing behind it."""
    if not tokens.sees("for"):
        word = tokens.peek()
        offset = word.offset if word else tokens.end
        said = "`for` and how long it must hold are missing"
        raise MisreadError(offset, said, f"for example {text[:offset].strip()} for 3s")
    tokens.take("for")
    lasts = take_quantity(tokens, Duration, "after `for`")
    if rest := tokens.peek():
        raise MisreadError(rest.offset, f"{rest.text!r} is too much here")
    if lasts <= 0:
        raise MisreadError(tokens.end - 1, "it must hold for more than 0s")
    return Duration(lasts)


def _subject(tokens: Tokens) -> _Subject:
    word = tokens.take("an indicator")
    indicator, quantile = read_indicator(word)
    name, journeys = "", False
    follows = tokens.peek()
    if follows is not None and follows.text.startswith("("):
        name, journeys = _of(tokens.take("a name"))
    _check_subject(word, indicator, name, journeys=journeys)
    return _Subject(indicator, quantile, name, journeys, word.offset)


def _check_subject(word: Token, indicator: Indicator, name: str, *, journeys: bool) -> None:
    if indicator.name == "memory" and (journeys or not name):
        raise MisreadError(word.offset, "memory is that of a service", "like memory(api)")
    of_requests = indicator.name in (*_COUNTED, "memory")
    if not of_requests and (name or journeys):
        said = "recovery is of all requests" if indicator.name == "recovery" else "it has no name"
        raise MisreadError(word.offset, said, f"write {indicator.name} without a name")


def _of(word: Token) -> tuple[str, bool]:
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


def _confidence(tokens: Tokens, subject: _Subject, limit: Limit) -> float:
    at = tokens.take("at")
    if limit.than.kind or subject.indicator.name in ("memory", *ELSEWHERE):
        said = f"{'a comparison' if limit.than.kind else subject.indicator.name} has no confidence"
        raise MisreadError(at.offset, said, "leave out `at`")
    word = tokens.peek()
    value = take_quantity(tokens, Share, "after `at`")
    if not 0.5 <= value < 1:
        raise MisreadError(
            word.offset if word else 0, "a confidence is from 50% to below 100%", "at 95%"
        )
    return value


def _leftover(word: Token, window: Window, confidence: float) -> NoReturn:
    if word.text in WINDOWS and window.kind:
        raise MisreadError(word.offset, f"a second window; {window.kind} is there already")
    if word.text == "at" and confidence:
        raise MisreadError(word.offset, "a second confidence")
    likely = nearest(word.text, (*WINDOWS, "at"))
    hint = f"did you mean {likely}?" if likely else "a window or `at 95%` could follow"
    raise MisreadError(word.offset, f"{word.text!r} is not expected here", hint)
