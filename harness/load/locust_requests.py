"""Turns Locust's request event into rows of the recording.

Each arrival is a `Journey`: one run of one task. Its first request is timed from when the arrival
was due, later ones from their own start. A request outside any journey (on_start, on_stop) is
recorded and never judged. Clients that we did not wrap report only how long a request took: it is
then taken to end at the moment of the report.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Any

import gevent
from locust.event import EventHook

from harness.clock import SECOND
from harness.load.outcomes import outcome_of
from harness.load.recorder import Recorder
from harness.load.recording import Flag, Outcome

#: Where a wrapped client leaves its `Sent` for the event: the context goes through untouched.
SENT = "harness.sent"
_MOST_PARENTS = 8


@dataclass(eq=False)
class Journey:
    """One arrival while it lives. `open` holds its requests that no event has told of yet, `names`
    are those that have a row.

    `opaque` says that its client is one we do not know, so that `open` stays empty.
    """

    index: int
    due: int
    started: int
    name: str = ""
    outcome: Outcome = Outcome.OK
    requests: int = 0
    names: list[str] = field(default_factory=list)
    unjudged: bool = False
    opaque: bool = False
    open: dict[int, Sent] = field(default_factory=dict)
    greenlet: Any = None

    @property
    def waiting(self) -> list[Sent]:
        """Requests that have no answer yet."""
        return [sent for sent in self.open.values() if not sent.ended]

    @property
    def waiting_since(self) -> list[int]:
        """When the requests that wait were due; a client we do not know always waits."""
        return [self.due] if self.opaque else [sent.intended for sent in self.waiting]

    def take_first(self) -> bool:
        """Whether this request is the first of its journey, asked once for each request."""
        self.requests += 1
        return self.requests == 1 and not self.unjudged


@dataclass(eq=False)
class Sent:
    """A request on its way; once answered, `ended` is set and `response` what came, if anything."""

    journey: Journey
    name: str
    intended: int
    started: int
    first: bool
    ended: int = 0
    response: Any = None


def journey_here() -> Journey | None:
    """The journey that the current greenlet, or one that spawned it, works for."""
    greenlet = gevent.getcurrent()
    for _ in range(_MOST_PARENTS):
        journey = getattr(greenlet, "journey", None)
        if journey is not None:
            return journey  # type: ignore[no-any-return]
        spawner = getattr(greenlet, "spawning_greenlet", None)
        greenlet = spawner() if spawner else None
        if greenlet is None:
            return None
    return None


def begin(name: str) -> Sent:
    """A request begins now in the current journey."""
    now = time.monotonic_ns()
    journey = journey_here() or Journey(0, now, now, unjudged=True)
    first = journey.take_first()
    sent = Sent(journey, name, journey.due if first else now, now, first)
    journey.open[id(sent)] = sent
    return sent


class RecordingHook(EventHook):  # type: ignore[misc, unused-ignore]
    """Stands in for `events.request`: writes the row, then tells the listeners of the file."""

    def __init__(self, recorder: Recorder, timeout_ns: int) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._recorder = recorder
        self._timeout_ns = timeout_ns
        self._first_names: dict[str, str] = {}

    def fire(self, *, reverse: bool = False, **meta: Any) -> None:
        sent = (meta.get("context") or {}).pop(SENT, None)
        took_ns = round((meta.get("response_time") or 0.0) * 1e6)
        if sent is None:
            sent, ended = _reported(str(meta.get("name", "")), took_ns)
        else:
            sent.journey.open.pop(id(sent), None)
            ended = sent.started + took_ns
        self._record(sent, ended, meta)
        meta["response_time"] = (ended - sent.intended) / 1e6
        super().fire(reverse=reverse, **meta)  # type: ignore[no-untyped-call]

    def untold(self, sent: Sent, exception: BaseException | None) -> None:
        """Record a request that no event will ever tell of.

        Locust is silent when a `with` block around an answer raises, and when nobody entered it:
        a failure would be missing just because the file did not expect it.
        """
        status = _number(getattr(sent.response, "status_code", 0))
        error = getattr(sent.response, "error", None)
        fine = exception is None and error is None and 0 < status < 400
        told = None if fine else exception or error or LookupError("no answer was seen")
        outcome = outcome_of(told, status, error)
        self._row(sent, sent.name, sent.ended or time.monotonic_ns(), outcome, status)

    def prevented(self, journey: Journey, outcome: Outcome) -> None:
        """Record the request that an arrival was due to send and never did.

        It goes by the name that the first request of such a task has, once that is known.
        """
        name = self._first_names.get(journey.name, journey.name)
        sent = Sent(journey, name, journey.due, journey.started, journey.take_first())
        self._row(sent, name, time.monotonic_ns(), outcome)

    def skipped(self, journey: Journey, name: str) -> None:
        """Record a request that an earlier failure of its task prevented."""
        now = time.monotonic_ns()
        self._row(Sent(journey, name, now, now, first=False), name, now, Outcome.SKIPPED)

    def _record(self, sent: Sent, ended: int, meta: dict[str, Any]) -> None:
        response = meta.get("response")
        status = _number(getattr(response, "status_code", 0))
        outcome = outcome_of(meta.get("exception"), status, getattr(response, "error", None))
        name, size = str(meta.get("name", "")), _number(meta.get("response_length"))
        self._row(sent, name, ended, outcome, status, size=size)

    def _row(
        self, sent: Sent, name: str, ended: int, outcome: Outcome, status: int = 0, *, size: int = 0
    ) -> None:
        journey = sent.journey
        if outcome is Outcome.OK and ended - sent.intended > self._timeout_ns:
            outcome = Outcome.TIMEOUT
        journey.names.append(name)
        if sent.first:
            self._first_names[journey.name] = name
        if outcome is not Outcome.OK and journey.outcome is Outcome.OK:
            journey.outcome = outcome
        flags = (Flag.FIRST if sent.first else 0) | (Flag.UNJUDGED if journey.unjudged else 0)
        self._recorder.add(
            name, sent.intended, sent.started, ended, outcome=outcome, flags=flags,
            arrival=journey.index, status=status, size=size,
        )  # fmt: skip


def _reported(name: str, took_ns: int) -> tuple[Sent, int]:
    """A request that a client of the user's own reports after the fact."""
    now = time.monotonic_ns()
    journey = journey_here() or Journey(0, now, now, unjudged=True)
    first, started = journey.take_first(), now - took_ns
    return Sent(journey, name, journey.due if first else started, started, first), now


def _number(value: Any) -> int:
    return int(value) if isinstance(value, (int, float)) and value > 0 else 0


def seconds_left(sent: Sent, timeout_ns: int) -> float:
    """How long this request may still take: its time runs from when it was due."""
    return max((sent.intended + timeout_ns - time.monotonic_ns()) / SECOND, 0.001)
