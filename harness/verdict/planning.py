"""What a plan can know about its verdict beforehand: claims that no result could decide.

Those are refused. Where a result could decide, but fewer requests are expected than a PASS takes,
there is a warning with the numbers: such an experiment may still FAIL honestly.
"""

from __future__ import annotations

from harness.experiment.model import Objective
from harness.measure.claims import fewest
from harness.measure.indicators import limit_of
from harness.measure.statistics import bounding, proving


def undecidable(objective: Objective, expected_requests: float, *, faults: bool = True) -> str:
    """Why no result could decide this objective, and what would; empty when one could.

    `expected_requests` are due in its window; `faults`: there are any in the experiment.
    """
    if objective.confidence and _inside_a_fault(objective, faults=faults):
        return (
            f"{objective.text}: one fault is one draw, so no count of requests in it proves "
            f"anything in general; leave out `at {objective.confidence:.4g}` or repeat the run"
        )
    if impossible := _impossible(objective):
        return f"{objective.text}: {impossible}"
    if expected_requests <= 0:
        return f"{objective.text}: no request is due in its window, so nothing can be counted"
    return ""


def doubtful(objective: Objective, expected_requests: float) -> str:
    """Why this objective will probably end INCONCLUSIVE; empty when there is no reason."""
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
    target = _target(objective)
    if objective.indicator in ("availability", "errors"):
        if target > 1 or (target == 1 and objective.op in ("<", ">")):
            return "nothing is better than all requests good"
        if target == 1 and objective.confidence:
            return "no number of requests proves that none ever fails"
    if objective.op == "<" and objective.limit <= 0:
        return "nothing is below 0"
    return ""


def _target(objective: Objective) -> float:
    limit = limit_of(objective)
    return round(1 - limit, 12) if objective.indicator == "errors" else limit


def _least(objective: Objective) -> int:
    """The fewest requests with which this objective can PASS."""
    if objective.indicator in ("recovery", "throughput"):
        return 1
    if objective.indicator == "latency":
        q = objective.quantile
        return bounding(q, objective.confidence) if objective.confidence else fewest(q)
    target, strict = _target(objective), objective.op in ("<", ">")
    if objective.confidence:
        return proving(target, 0, objective.confidence)
    return fewest(target, strict=strict)
