"""Objectives on what services use: `memory(api) < 512MiB`, `memory(api) after < baseline + 50MiB`.

Facts of this run, sampled once a second: there is no chance in them to be allowed for.
"""

from __future__ import annotations

import dataclasses

from harness.experiment.model import Objective
from harness.measure.claims import Decision
from harness.measure.indicators import holds
from harness.measure.windows import Window
from harness.verdict import wording
from harness.verdict.found import Found, Scene, absolute


def judge_memory(objective: Objective, scene: Scene, window: Window) -> Found:
    """The most that any replica held, against a number."""
    most = scene.resources.most("memory", objective.name, window.start_s, window.end_s)
    if most is None:
        return _unsampled(objective, window.name)
    says = f"{wording.indicator(objective)} was at most {wording.quantity(most, 'B')}"
    verdict: Decision = "pass" if holds(objective, most) else "fail"
    return Found(verdict, most, wording.sentence(says))


def compare_memory(objective: Objective, scene: Scene, here: Window, there: Window) -> Found:
    """Medians of the two windows, of the replica that held most: a spike is no leak."""
    levels = []
    for window in (here, there):
        level = scene.resources.level("memory", objective.name, window.start_s, window.end_s)
        if level is None:
            return _unsampled(objective, window.name)
        levels.append(level)
    value, other = levels
    limit = absolute(objective, other)
    held_to = dataclasses.replace(objective, limit=limit)
    verdict: Decision = "pass" if holds(held_to, value) else "fail"
    held, had, most = (wording.quantity(v, "B") for v in (value, other, limit))
    says = f"{wording.indicator(objective)} was {held}, {had} in {there.name}: the limit is {most}"
    return Found(verdict, value, wording.sentence(says), limit=limit)


def _unsampled(objective: Objective, where: str) -> Found:
    says = f"nobody measured the memory of {objective.name} in {where}"
    return Found("inconclusive", None, wording.sentence(says))
