"""Objectives that count requests: shares, quantiles and rates in one window.

A count of this run is decided by what happened. A claim in general is decided by bounds in which
failures that came in bursts count as few, or, where the run might have ended early, by a
sequential test.
"""

from __future__ import annotations

import math

import numpy as np

from harness.experiment.model import Objective
from harness.measure import sequential, statistics
from harness.measure.bursts import design_effect
from harness.measure.claims import Count, Decision, in_general, of_this_run
from harness.measure.indicators import counted, holds, limit_of, throughput, value_of
from harness.measure.observation import Bools, Box, Ints, Part, Requests
from harness.measure.windows import Window
from harness.verdict import wording
from harness.verdict.found import Found, Scene, nothing


def judge_count(objective: Objective, scene: Scene, window: Window) -> Found:
    requests = window.choose(scene.named(objective))
    count = counted(objective, requests)
    if not count.count:
        return nothing(objective, scene, "this window", _decided(objective, count, 1.0)[1])
    design = design_of(objective, requests)
    low, high = bounds(objective, count, requests, design)
    if objective.confidence and scene.sequential:
        verdict, needed, why = _sequentially(objective, requests, count)
    else:
        verdict, needed = _decided(objective, count, design)
        why = _why(objective, count, verdict, needed, design)
    if needed and window.span_s:
        why += f", {wording.duration(needed / count.count * window.span_s)} at this rate"
    return Found(
        verdict, value_of(objective, requests, 0.0),
        wording.sentence(
            wording.what_happened(objective, count, requests), why, scene.ended_early(window)
        ),
        count.good, count.count, needed, low, high,
        proves(objective, low, high) + (", for this one fault only" * scene.one_fault(window)),
    )  # fmt: skip


def design_of(objective: Objective, requests: Requests) -> float:
    """How much the bad requests of an objective cling together; 1: not at all."""
    limit = limit_of(objective) if objective.indicator == "latency" else math.inf
    return design_effect(requests, limit)


def confidence_of(objective: Objective) -> float:
    return objective.confidence or statistics.CONFIDENCE


def _decided(objective: Objective, count: Count, design: float) -> tuple[Decision, int]:
    if objective.confidence:
        return in_general(count, objective.confidence, design)
    return of_this_run(count)


def _why(objective: Objective, count: Count, verdict: Decision, needed: int, design: float) -> str:
    if not objective.confidence:
        return wording.decided(count, verdict, needed)
    return wording.bursts(count, design) + wording.bounded(objective, count, verdict, needed)


def bounds(
    objective: Objective, count: Count, requests: Requests, design: float
) -> tuple[float, float]:
    """One-sided bounds of the indicator, each at the objective's confidence."""
    confidence = confidence_of(objective)
    if objective.indicator == "latency":
        latency, q = requests.latencies, objective.quantile
        low = statistics.quantile_low(latency, q, confidence, design)
        return low, statistics.quantile_high(latency, q, confidence, design)
    good, number = count.good / design, count.count / design
    low = statistics.share_low(good, number, confidence)
    high = statistics.share_high(good, number, confidence)
    return (low, high) if objective.indicator == "availability" else (1 - high, 1 - low)


def proves(objective: Objective, low: float, high: float) -> str:
    """What the window shows beyond this run, in a word."""
    at = f"at {wording.percent(confidence_of(objective))}"
    match objective.indicator:
        case "availability":
            return f"proves {wording.percent(low)} {at}"
        case "errors":
            return f"proves at most {wording.percent(high, up=True)} {at}"
    name = wording.quantile_name(objective.quantile)
    if math.isfinite(high):
        return f"proves {name} of at most {wording.seconds(high)} {at}"
    return f"proves no bound of {name} {at}"


# ---------------------------------------------------------------- looked at while it went on


def _sequentially(
    objective: Objective, requests: Requests, count: Count
) -> tuple[Decision, int, str]:
    """Replayed request by request, by when they were due, as the run was looked at."""
    found = sequential.first_decision(_failed(objective, requests), count.count, count.target)
    needed = 0
    if found.verdict == "inconclusive" and count.target < 1:
        clean = sequential.clean(count.failures, round(1 - count.target, 15))
        needed = max(1, clean - count.count)
    return found.verdict, needed, wording.sequentially(count, found, needed)


def _failed(objective: Objective, requests: Requests) -> Ints:
    """The numbers (from 1) of the requests that were not as wanted."""
    found, seen = [np.empty(0, np.int64)], 1
    for part in requests.parts():
        found.append(np.flatnonzero(_bad(objective, part)) + seen)
        seen += len(part)
    return np.concatenate(found)


def _bad(objective: Objective, part: Part) -> Bools:
    if objective.indicator != "latency":
        return ~part.good
    limit, latency = limit_of(objective), np.round(part.latency, 9)
    bad: Bools = latency >= limit if objective.op == "<" else latency > limit
    return bad


# ---------------------------------------------------------------- throughput


def judge_throughput(objective: Objective, scene: Scene, window: Window) -> Found:
    """Successes by when they ended: what the window delivered, whenever it was asked for."""
    named = scene.named(objective)
    inside = delivered(named, window)
    value = throughput(inside, window.span_s)
    if math.isnan(value) or not len(window.choose(named)):
        return nothing(objective, scene, "this window")
    good = inside.good_count
    fact = f"{good:,} good {wording.noun(objective)} in {wording.seconds(window.span_s)}"
    verdict: Decision = "pass" if holds(objective, value) else "fail"
    says = wording.sentence(f"{wording.rate(value)}, {fact}")
    return Found(verdict, value, says, good, max(len(inside), 1))


def delivered(named: Requests, window: Window) -> Requests:
    return named.within(Box(0.0, ended_from=window.start_s, ended_to=window.end_s))
