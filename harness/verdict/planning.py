"""What a plan can know about its verdict beforehand: claims that no result could decide.

Those are refused. Where a result could decide, but fewer requests are expected than a PASS takes,
there is a warning with the numbers: such an experiment may still FAIL honestly.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from harness.experiment.indicators import ELSEWHERE
from harness.experiment.model import Objective
from harness.measure.claims import fewest
from harness.measure.indicators import limit_of
from harness.measure.statistics import bounding, proving
from harness.record.plan import Plan, PlannedEffect


@dataclass(frozen=True)
class PlanProblems:
    """`refusals`: objectives that no result could decide; `warnings`: that probably none will."""

    refusals: tuple[str, ...]
    warnings: tuple[str, ...]


def plan_problems(plan: Plan, expected: Callable[[float, float], float]) -> PlanProblems:
    """Look at every objective; `expected(begin_s, end_s)` are the requests due in a span."""
    refusals, warnings = [], []
    for objective in plan.objectives:
        requests = expected(*planned_span(objective, plan))
        refusal = undecidable(objective, requests, faults=bool(plan.interventions))
        refusals.append(refusal)
        warnings.append("" if refusal else doubtful(objective, requests))
    return PlanProblems(tuple(filter(None, refusals)), tuple(filter(None, warnings)))


def planned_span(objective: Objective, plan: Plan) -> tuple[float, float]:
    """The window of an objective if all goes as planned; of several, the shortest."""
    effects = [e for e in plan.effects if not e.prepare]
    first = min((e.at for e in effects), default=0.0)
    if objective.window in ("", "baseline") or not effects:
        baseline = objective.window == "baseline" and bool(effects)
        return (0.0, first) if baseline else (first, plan.duration)
    ids = [e for e in effects if objective.window_id in ("", e.intervention)]
    spans = [_span(objective.window, effect, plan.duration) for effect in ids]
    return min(spans, key=lambda span: span[1] - span[0], default=(0.0, 0.0))


def _span(window: str, effect: PlannedEffect, duration: float) -> tuple[float, float]:
    gone = effect.at + effect.lasts
    if window == "after":
        return gone, duration
    return effect.at, duration if effect.event else gone


def undecidable(objective: Objective, expected_requests: float, *, faults: bool = True) -> str:
    """Why no result could decide this objective, and what would; empty when one could.

    `expected_requests` are due in its window; `faults`: there are any in the experiment.
    """
    if objective.confidence and _inside_a_fault(objective, faults=faults):
        return (
            f"{objective.text}: one fault is one draw, so no count of requests in it proves "
            f"anything in general; leave out `at {objective.confidence:.4g}` or repeat the run"
        )
    if not objective.than and (impossible := _impossible(objective)):
        return f"{objective.text}: {impossible}"
    if expected_requests <= 0 and objective.indicator not in (*ELSEWHERE, "memory"):
        return f"{objective.text}: no request is due in its window, so nothing can be counted"
    return ""


def doubtful(objective: Objective, expected_requests: float) -> str:
    """Why this objective will probably end INCONCLUSIVE; empty when there is no reason."""
    if objective.indicator in ELSEWHERE:
        return f"{objective.text}: not measured by this experiment"
    least = _least(objective)
    if expected_requests >= least:
        return ""
    return (
        f"{objective.text}: about {expected_requests:,.0f} requests are expected in its window, "
        f"a PASS takes at least {least:,}"
    )


def _inside_a_fault(objective: Objective, *, faults: bool) -> bool:
    return objective.indicator == "recovery" or (faults and objective.window != "baseline")


def _impossible(objective: Objective) -> str:
    target = target_of(objective)
    if objective.indicator in ("availability", "errors"):
        if target > 1 or (target == 1 and objective.op in ("<", ">")):
            return "nothing is better than all requests good"
        if target == 1 and objective.confidence:
            return "no number of requests proves that none ever fails"
    if objective.op == "<" and objective.limit <= 0:
        return "nothing is below 0"
    return ""


def target_of(objective: Objective) -> float:
    """The share of requests that must be as the objective wants them."""
    if objective.indicator == "latency":
        return objective.quantile
    limit = limit_of(objective)
    return round(1 - limit, 12) if objective.indicator == "errors" else limit


def _least(objective: Objective) -> int:
    """The fewest requests with which this objective can PASS."""
    if not objective.counts or objective.indicator == "throughput":
        return 1
    if objective.indicator == "latency":
        q = objective.quantile
        return bounding(q, objective.confidence) if objective.confidence else fewest(q)
    target, strict = target_of(objective), objective.op in ("<", ">")
    if objective.confidence:
        return proving(target, 0, objective.confidence)
    return fewest(target, strict=strict)
