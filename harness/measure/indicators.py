"""What objectives speak of, computed from requests: shares, quantiles, rates.

`counted` brings an objective and its requests into the one shape that claims are made about.
"""

from __future__ import annotations

import operator
from collections.abc import Callable

from harness.experiment.model import Abort, Objective
from harness.measure.claims import Count
from harness.measure.observation import Requests
from harness.measure.statistics import quantile

COMPARE: dict[str, Callable[[float, float], bool]] = {
    "<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge,
}  # fmt: skip

#: What the unit of an indicator is called in reports.
UNITS = {
    "availability": "share",
    "errors": "share",
    "latency": "s",
    "throughput": "/s",
    "recovery": "s",
    "memory": "B",
    "durability": "share",
    "detection": "s",
    "rollback": "s",
    "rto": "s",
    "failover": "s",
}


def limit_of(line: Objective | Abort) -> float:
    """The limit without the dust of decimal fractions: 99.9 % is 0.999 and not a bit more."""
    return round(line.limit, 12)


def holds(line: Objective | Abort, value: float) -> bool:
    return COMPARE[line.op](round(value, 12), limit_of(line))


def value_of(line: Objective | Abort, requests: Requests, span_s: float) -> float:
    """The indicator over these requests in its base unit; nan where there is none to count."""
    if line.indicator == "throughput":
        return throughput(requests, span_s)
    if line.indicator == "latency":
        return quantile(requests.latencies, line.quantile)
    good = availability(requests)
    return 1 - good if line.indicator == "errors" else good


def availability(requests: Requests) -> float:
    return requests.good_count / len(requests) if len(requests) else float("nan")


def throughput(requests: Requests, span_s: float) -> float:
    """Successes per second."""
    return requests.good_count / span_s if span_s > 0 else float("nan")


def counted(objective: Objective, requests: Requests) -> Count:
    """How many requests are as a counting objective (not throughput, not recovery) wants them.

    `p99 < x` says that a share of at least 0.99 is below x. The grammar knows no objective that
    wishes for the worse, so neither does this.
    """
    limit, strict = limit_of(objective), objective.op in ("<", ">")
    if objective.indicator == "latency":
        fast = requests.latencies.below(limit, strict=strict)
        return Count(fast, len(requests), objective.quantile)
    target = limit if objective.indicator == "availability" else round(1 - limit, 12)
    return Count(requests.good_count, len(requests), target, strict=strict)
