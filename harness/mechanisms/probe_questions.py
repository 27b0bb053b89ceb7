"""How the witness of an edge looks for a toxic: what its probes ask, and how long they wait."""

from __future__ import annotations

from typing import Optional, Tuple

from harness.agent.effects import Toxic
from harness.mechanisms.probe_transfers import Question
from harness.mechanisms.proxy_witness import Look

#: While one of these is in force, a connection of ours that ended is not opened again.
BREAKING = ("down", "timeout", "reset_peer", "limit_data")

_LONGEST_S = 60.0
_PART = 0.5  # of a look: so long its transfer takes
_SHORT_S = 0.1
_MOST, _SHORT_MOST = 4 << 20, 1 << 20  # bytes
_SLICES = 64
_BEYOND = 1024  # bytes that are asked for beyond a limit


def look_for(
    effect: Optional[object], in_force: Tuple[Toxic, ...], for_s: float, answer: int = 0
) -> Look:
    """How to look for a toxic (or nothing of the kind) while these are in force. `answer`: bytes
    of the shortest one."""
    toxic = effect if isinstance(effect, Toxic) else Toxic("")
    calm = not any(other.kind in BREAKING for other in in_force)
    many = toxic.share < 1 or toxic.kind == "down"
    long, short = _questions(toxic, for_s)
    patience_s = for_s + _waits_s((*in_force, toxic), answer)
    return Look(for_s, patience_s, calm, many, long, short)


def _questions(toxic: Toxic, for_s: float) -> Tuple[Question, Question]:
    peak = {name: curve.peak for name, curve in toxic.numbers}
    if toxic.kind == "bandwidth":
        a_second = 1000 * peak.get("rate", 0)
        return (
            Question(_between(64, a_second * _PART * for_s, _MOST)),
            Question(_between(16, a_second * _SHORT_S, _SHORT_MOST)),
        )
    if toxic.kind == "slicer":
        pieces = _PART * for_s / max(1e-4, peak.get("delay", 0) / 1e6)
        whole = peak.get("average_size", 1) * _power_of_two(min(_SLICES, pieces))
        return Question(int(whole)), Question(int(min(whole, 4 * peak.get("average_size", 1))))
    if toxic.kind == "limit_data":
        beyond = Question(int(peak.get("bytes", 0)) + _BEYOND)
        return beyond, beyond
    if toxic.kind == "slow_close":
        ends = Question(bytes=1, closes=True)
        return ends, ends
    return Question(), Question(bytes=1)


def _between(least: int, value: float, most: int) -> int:
    return int(max(least, min(value, most)))


def _power_of_two(at_most: float) -> int:
    """Halved again and again, such a number of pieces comes out even."""
    found = 2
    while found * 2 <= at_most:
        found *= 2
    return found


def _waits_s(toxics: Tuple[Toxic, ...], answer: int) -> float:
    """How much later an answer, or an end, may come and still be one."""
    waits = sum(
        curve.peak / 1000
        for toxic in toxics
        for name, curve in toxic.numbers
        if name in ("latency", "jitter", "timeout") or (toxic.kind, name) == ("slow_close", "delay")
    )
    waits += max([0.0, *(_takes_s(toxic, answer) for toxic in toxics)])
    return min(_LONGEST_S, 1.2 * waits)


def _takes_s(toxic: Toxic, answer: int) -> float:
    """How long so many bytes are on their way, slowly or in pieces."""
    peak = {name: curve.peak for name, curve in toxic.numbers}
    if toxic.kind == "bandwidth":
        least = min((value for _, value in dict(toxic.numbers)["rate"].points), default=1.0)
        return answer / max(1.0, 1000 * least)
    if toxic.kind == "slicer":
        pieces = 2 * answer / max(1.0, peak.get("average_size", 1))
        return pieces * peak.get("delay", 0) / 1e6
    return 0.0
