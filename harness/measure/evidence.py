"""All that a run directory says, read once: what a verdict and a report are made from."""

from __future__ import annotations

from dataclasses import dataclass, replace

from harness.clock import SECOND
from harness.experiment.model import Objective
from harness.load.self_check import states_of
from harness.load.status import Status
from harness.load.tags import Tags, read_tags
from harness.measure.observation import Observation, observe
from harness.measure.resources import Resources, resources_of
from harness.measure.windows import Windows, windows_of
from harness.record.directory import RunDirectory
from harness.record.journal import Step
from harness.record.plan import Plan
from harness.record.resources import read


@dataclass(frozen=True)
class Evidence:
    """`states` is what each load worker said of itself after the warm-up."""

    plan: Plan
    steps: tuple[Step, ...]
    observation: Observation
    windows: Windows
    resources: Resources = Resources()
    tags: Tags = ()
    states: tuple[tuple[int, Status], ...] = ()

    def seconds(self, step: Step) -> float:
        """When a step was, in seconds from the end of the warm-up."""
        return self.observation.epoch.seconds(step.at)


def gather(directory: RunDirectory, objectives: tuple[Objective, ...] | None = None) -> Evidence:
    """Read a run; `objectives` in place of the plan's judge an old run anew."""
    plan, steps, observation = directory.plan(), directory.steps(), observe(directory)
    if objectives is not None:
        plan = replace(plan, objectives=objectives)
    begun = observation.epoch.mono_ns
    return Evidence(
        plan, steps, observation, windows_of(plan, steps, observation),
        resources_of(read(directory.path), observation.epoch), read_tags(directory.path),
        tuple(states_of(directory.path, begun, begun + round(plan.duration * SECOND))),
    )  # fmt: skip
