"""The generator judges itself: whether what it measured was the system, or its own weakness.

All limits stand here. They are generous to a moment's hiccup, which every shared machine has, and
strict about what moves a verdict: beyond them a run says nothing about the system.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

from harness.load.sent import Pace, Sent
from harness.load.status import Status, parse

#: The 99th percentile of lateness may be this share of the strictest latency limit (of the timeout
#: where there is none), and never has to be below the floor: timers are a millisecond coarse.
LATE_SHARE = 0.1
LATE_FLOOR_S = 0.005
#: One stall (of the event loop, be it by a garbage collection or by other processes) may be this
#: share of the timeout: a longer one makes failures out of answers that came in time.
STALL_SHARE = 0.25
STALL_FLOOR_S = 0.1
#: All stalls that are longer than lateness may be: this share of the time, or as long as one alone.
STALLED_SHARE = 0.01
#: More of a core than this, for so long, and answers wait for us. A worker that spins until the
#: next arrival is due uses all of its core too, but is not even a millisecond late.
CPU_MOST = 0.97
CPU_FOR_S = 5.0
CPU_LATE_MS = 1.0


@dataclass(frozen=True)
class Limits:
    late_s: float
    stall_s: float


def limits_for(latency_limits_s: Iterable[float], timeout_s: float) -> Limits:
    """What a generator must hold to judge objectives with these limits."""
    strictest = min(latency_limits_s, default=timeout_s)
    return Limits(
        max(LATE_FLOOR_S, LATE_SHARE * strictest), max(STALL_FLOOR_S, STALL_SHARE * timeout_s)
    )


def weaknesses(
    sent: Sent, states: Iterable[tuple[int, Status]], limits: Limits, dropped: int = 0
) -> tuple[str, ...]:
    """Every reason why the generator was too weak, the first with the rate that it held; none for
    one that was not. `dropped` is what the workers themselves counted.
    """
    found = [*_lateness(sent, limits, dropped), *_health(states, limits)]
    if found:
        found[0] += _held(sent.pace(limits.late_s))
    return tuple(found)


def _lateness(sent: Sent, limits: Limits, dropped: int) -> Iterator[str]:
    dropped = max(dropped, sent.dropped)
    if dropped:
        yield f"generator overloaded: {dropped:,} arrivals were dropped, not sent"
    if sent.late_p99_s > limits.late_s:
        yield (
            f"generator late: P99 of sending was {_ms(sent.late_p99_s)} after due, "
            f"{_ms(limits.late_s)} allowed"
        )


def _held(pace: Pace) -> str:
    if pace.rate >= 0.9 * pace.asked:
        return f"; it was on time in {pace.seconds} of {pace.of} s, so something else disturbed it"
    return f"; this machine could have held about {_two_digits(pace.rate):,}/s"


def _two_digits(rate: float) -> int:
    return int(float(f"{rate:.2g}"))


# ---------------------------------------------------------------- what workers say of themselves


def states_of(directory: Path, from_ns: int, to_ns: int) -> Iterator[tuple[int, Status]]:
    """What each worker said of itself in that time, worker by worker."""
    for path in sorted(directory.glob("load.*.jsonl")):
        with path.open("rb") as lines:
            for state in map(parse, lines):
                if isinstance(state, Status) and from_ns <= state.at <= to_ns:
                    yield int(path.name.split(".")[1]), state


def _health(states: Iterable[tuple[int, Status]], limits: Limits) -> Iterator[str]:
    for worker, told in groupby(states, key=lambda pair: pair[0]):
        mine = [state for _, state in told]
        yield from _stalls(worker, mine, limits)
        yield from _processor(worker, mine)


def _stalls(worker: int, states: list[Status], limits: Limits) -> Iterator[str]:
    pauses = [max(state.stall_ms, state.gc_ms) / 1e3 for state in states]
    long, lasted = [p for p in pauses if p > limits.late_s], _lasted_s(states)
    if max(pauses, default=0.0) > limits.stall_s:
        yield (
            f"generator stalled: load worker {worker} stood still for {_ms(max(pauses))}"
            f"{_collecting(states, max(pauses))}, {_ms(limits.stall_s)} allowed"
        )
    elif lasted and sum(long) > max(STALLED_SHARE * lasted, limits.stall_s):
        yield (
            f"generator stalled: load worker {worker} stood still for {sum(long) / lasted:.1%} of "
            f"the time, {STALLED_SHARE:.0%} allowed"
        )


def _collecting(states: list[Status], pause_s: float) -> str:
    longest = max(state.gc_ms for state in states) / 1e3
    return " (garbage collection)" if longest > pause_s / 2 else ""


def _processor(worker: int, states: list[Status]) -> Iterator[str]:
    begun = None
    for state in states:
        busy = state.cpu > CPU_MOST and state.late_p99_ms > CPU_LATE_MS
        begun = (begun or state.at) if busy else None
        if begun is not None and state.at - begun >= CPU_FOR_S * 1e9:
            yield (
                f"generator out of processor time: load worker {worker} used more than "
                f"{CPU_MOST:.0%} of its core for {CPU_FOR_S:g} s"
            )
            return


def _lasted_s(states: list[Status]) -> float:
    return (states[-1].at - states[0].at) / 1e9 if states else 0.0


def _ms(value_s: float) -> str:
    return f"{value_s:.3g} s" if value_s >= 0.9995 else f"{value_s * 1e3:.3g} ms"
