"""Objectives on slices of time, as OpenSLO's Timeslices and RatioTimeslices count.

A window is cut into slices of one length, the last one whole. Timeslices: the share of slices in
which the line holds. RatioTimeslices: the average of what the slices had, so that a busy slice
weighs no more than a quiet one. A slice without requests is in neither.
"""

from __future__ import annotations

import dataclasses

from harness.experiment.model import Objective
from harness.measure.claims import Count, fewest, of_this_run
from harness.measure.indicators import counted
from harness.measure.observation import Box, before
from harness.measure.windows import Window
from harness.verdict import wording
from harness.verdict.found import Found, Scene, nothing

#: A window of more slices is no experiment.
_MOST = 100_000


def judge_slices(objective: Objective, scene: Scene, window: Window) -> Found:
    """The limit is that of the slices, whatever each of them is held to."""
    slices = _slices(objective, scene, window)
    if not slices:
        return _too_short(objective, scene, window)
    if objective.slices:
        found, limit = _good_ones(objective, slices), objective.slices
    else:
        found, limit = _average(slices), slices[0].target
    return dataclasses.replace(found, limit=limit)


def _good_ones(objective: Objective, slices: list[Count]) -> Found:
    good = sum(_holds(objective, count) for count in slices)
    verdict, needed = of_this_run(Count(good, len(slices), objective.slices))
    length = wording.seconds(objective.slice_s)
    says = f"{good:,} of {len(slices):,} slices of {length} were good"
    why = f"a bad slice is allowed only from {fewest(objective.slices):,} on" if needed else ""
    return Found(
        verdict, good / len(slices), wording.sentence(says, why), good, len(slices), needed
    )


def _average(slices: list[Count]) -> Found:
    """The average share of all slices; the one that a single failure would break is no proof."""
    value = sum(count.good / count.count for count in slices) / len(slices)
    together = sum(count.count for count in slices)
    good = sum(count.good for count in slices)
    wanted = slices[0].target
    least = fewest(wanted)
    says = f"{wording.percent(value)} on the average of {len(slices):,} slices"
    if together < least and value >= wanted:
        why = f"one failure is allowed only from {least:,} on: {least - together:,} more needed"
        return Found("inconclusive", value, wording.sentence(says, why), good, together,
                     least - together)  # fmt: skip
    held = value > wanted if slices[0].strict else value >= wanted
    return Found("pass" if held else "fail", value, wording.sentence(says), good, together)


def _slices(objective: Objective, scene: Scene, window: Window) -> list[Count]:
    """What each whole slice counted; those without a request are left out."""
    chosen = window.choose(scene.named(objective))
    number = min(_MOST, int(window.span_s / objective.slice_s + 1e-9))
    begins = [window.start_s + i * objective.slice_s for i in range(number)]
    boxes = [Box(due_from=begin, due_to=before(begin + objective.slice_s)) for begin in begins]
    counts = (counted(_inner(objective), chosen.within(box)) for box in boxes)
    return [count for count in counts if count.count]


def _inner(objective: Objective) -> Objective:
    return dataclasses.replace(objective, slice_s=0.0, confidence=0.0)


def _holds(objective: Objective, count: Count) -> bool:
    return count.failures <= count.allowed


def _too_short(objective: Objective, scene: Scene, window: Window) -> Found:
    if window.span_s >= objective.slice_s:
        return nothing(objective, scene, "any slice of this window")
    says = (
        f"a window of {wording.seconds(window.span_s)} holds no slice of "
        f"{wording.seconds(objective.slice_s)}"
    )
    return Found("inconclusive", None, wording.sentence(says), needed=1)
