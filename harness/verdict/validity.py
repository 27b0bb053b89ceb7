"""Whether a run could have known: reasons that are about the test and never about the system.

Read from the journal alone, but for the load, whose recording is better evidence than its own
summary. An effect counts only when its witness confirmed it and the system's own traffic met it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from harness.load.self_check import Limits, limits_for, weaknesses
from harness.measure.evidence import Evidence
from harness.measure.passages import BEGAN
from harness.record.journal import Step
from harness.record.plan import Plan, PlannedEffect
from harness.verdict import wording

#: Faults and requests are put on one time axis: what is less sure of it says nothing of a fault.
CLOCK_MS = 50.0

#: Aborts that say that nobody could know any more. `by` of the journal's `abort` step.
_NOT_KNOWN = ("baseline", "blind", "lease", "world")


def invalid(evidence: Evidence) -> tuple[str, ...]:
    """Every reason why this run proves nothing; none for a run that could have known."""
    return (*_aborts(evidence), *_effects(evidence), *_load(evidence))


def _aborts(evidence: Evidence) -> Iterator[str]:
    for step in _steps(evidence, "abort"):
        by, reason = step.data.get("by"), step.data.get("reason", "")
        if by in _NOT_KNOWN or (by == "internal" and _about_the_test(evidence)):
            yield f"{_TITLES.get(str(by), 'aborted')}: {reason}"


_TITLES = {"baseline": "baseline broken", "blind": "measurement lost", "lease": "lease lost"}


def _about_the_test(evidence: Evidence) -> bool:
    """An effect that cannot be made, or a load that does not start, is no error of the harness."""
    unsent = evidence.plan.load is not None and not len(evidence.observation.store)
    return unsent or bool(_steps(evidence, "failed"))


def internal_error(evidence: Evidence) -> str:
    """The harness itself failed, in a word; or empty."""
    if _about_the_test(evidence):
        return ""
    aborts = _steps(evidence, "abort")
    return next((str(s.data.get("reason")) for s in aborts if s.data.get("by") == "internal"), "")


# ---------------------------------------------------------------- effects


def _effects(evidence: Evidence) -> Iterator[str]:
    aborted = bool(_steps(evidence, "abort"))
    for effect in evidence.plan.effects:
        if effect.prepare:
            continue
        steps = [step for step in evidence.steps if step.effect == effect.id]
        if any(step.step in BEGAN for step in steps):
            yield from _not_confirmed(effect, steps)
            yield from _not_exercised(effect, steps)
        elif not aborted and not effect.instead_of:  # a newcomer may come too late
            yield f"{effect.id} was never injected"


def _not_confirmed(effect: PlannedEffect, steps: list[Step]) -> Iterator[str]:
    judged = [step for step in steps if step.step == "judged"]
    if not judged:
        yield f"{effect.id} was not confirmed: its witness never told what it saw"
    elif not judged[-1].data.get("confirmed"):
        doubtful = [w for w in judged[-1].data.get("witnessed", ()) if w.get("confirmed") is False]
        seen = ", ".join(map(_asked_and_seen, doubtful)) or "its witness saw nothing"
        yield f"{effect.id} was not confirmed: {seen}"


def _asked_and_seen(line: dict[str, Any]) -> str:
    unit = str(line.get("unit", ""))
    note = f" ({line['note']})" if line.get("note") else ""
    asked, seen = _quantity(line.get("asked"), unit), _quantity(line.get("value"), unit)
    return f"{line.get('field')} asked {asked}, seen {seen}{note}"


def _quantity(value: Any, unit: str) -> str:
    if not isinstance(value, (int, float)):
        return "nothing"
    if unit == "s":
        return wording.seconds(value)
    return wording.percent(value) if unit == "share" else f"{value:,.4g} {unit}".strip()


def _not_exercised(effect: PlannedEffect, steps: list[Step]) -> Iterator[str]:
    counts = [step.data for step in steps if step.step == "exercised"]
    if not counts:
        yield f"{effect.id} was not exercised: nobody counted the system's own traffic"
    elif not counts[-1].get("count"):
        unit = counts[-1].get("unit") or "traffic"
        yield f"{effect.id} was not exercised: none of the system's own {unit} met it"


# ---------------------------------------------------------------- load


def _load(evidence: Evidence) -> Iterator[str]:
    if evidence.plan.load is None:
        return
    ended = next((s.data for s in reversed(evidence.steps) if s.step == "load.ended"), {})
    for died in ended.get("died") or ():
        yield f"load died: {died}"
    for worker in ended.get("arrived") or ():
        unsure_ms = worker["within_ms"] + abs(worker["drift_ms"])
        if unsure_ms > CLOCK_MS:
            yield (f"clock of load worker {worker['worker']} ({worker['place']}) is known to "
                   f"{unsure_ms:.0f} ms only, {CLOCK_MS:g} ms allowed")  # fmt: skip
    yield from weaknesses(
        evidence.observation.sent, evidence.states, _limits(evidence.plan),
        int(ended.get("dropped") or 0),
    )  # fmt: skip


def _limits(plan: Plan) -> Limits:
    """How well the generator has to do is a matter of what it is to judge."""
    latencies = (o.limit for o in plan.objectives if o.indicator == "latency" and not o.than)
    return limits_for(latencies, plan.load.timeout if plan.load else 0.0)


def _steps(evidence: Evidence, name: str) -> list[Step]:
    return [step for step in evidence.steps if step.step == name]
