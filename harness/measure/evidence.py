"""All that a run directory says, read once: what a verdict and a report are made from."""

from __future__ import annotations

from dataclasses import dataclass, replace

from harness.experiment.model import Objective
from harness.measure.observation import Observation, observe
from harness.measure.windows import Windows, windows_of
from harness.record.directory import RunDirectory
from harness.record.journal import Step
from harness.record.plan import Plan


@dataclass(frozen=True)
class Evidence:
    plan: Plan
    steps: tuple[Step, ...]
    observation: Observation
    windows: Windows

    def seconds(self, step: Step) -> float:
        """When a step was, in seconds from the end of the warm-up."""
        return self.observation.epoch.seconds(step.at)


def gather(directory: RunDirectory, objectives: tuple[Objective, ...] | None = None) -> Evidence:
    """Read a run; `objectives` in place of the plan's judge an old run anew."""
    plan, steps, observation = directory.plan(), directory.steps(), observe(directory)
    if objectives is not None:
        plan = replace(plan, objectives=objectives)
    return Evidence(plan, steps, observation, windows_of(plan, steps, observation))
