"""What judging comes to before it is put into a `Judgement`, and what it is judged from."""

from __future__ import annotations

from dataclasses import dataclass, field

from harness.experiment.model import Objective
from harness.measure.claims import Decision
from harness.measure.observation import Observation, Requests
from harness.measure.resources import Resources
from harness.measure.windows import Window, Windows
from harness.verdict import wording

#: What was in flight when a phase was ended early still ends within a moment.
ENDING_S = 1.0


@dataclass(frozen=True)
class Scene:
    """All that was seen of a run. `sequential`: it was to end as soon as all was decided, so that
    claims in general are judged by tests that allow for looking early. `early_s` is when phases
    of it were ended before their time.
    """

    observation: Observation
    windows: Windows
    resources: Resources = field(default_factory=Resources)
    sequential: bool = False
    early_s: tuple[float, ...] = ()

    def named(self, objective: Objective) -> Requests:
        """The requests, or journeys, of an objective's name in the whole run."""
        return self.observation.of(objective.name, journeys=objective.journeys)

    def ended_early(self, window: Window) -> str:
        """That a window is shorter than planned, since all was decided; or empty."""
        cut = [at for at in self.early_s if window.start_s <= at <= window.end_s + ENDING_S]
        return f"ended early at {wording.seconds(cut[0])}, all being decided" if cut else ""

    def one_fault(self, window: Window) -> bool:
        """Whether what a window shows is of one fault, and says nothing about the next."""
        return bool(self.windows.passages) and window.kind != "baseline"


@dataclass(frozen=True)
class Found:
    """As in `Judgement`; `limit` None is that of the objective."""

    verdict: Decision
    value: float | None
    says: str
    good: int = 0
    count: int = 0
    needed: int = 0
    low: float | None = None
    high: float | None = None
    proves: str = ""
    limit: float | None = None


def nothing(objective: Objective, scene: Scene, where: str, needed: int = 1) -> Found:
    """INCONCLUSIVE, for want of anything to count in a window."""
    observation = scene.observation
    everything = observation.journeys if objective.journeys else observation.requests
    says = f"no {wording.noun(objective)} in {where}"
    if objective.name:
        names = observation.names_of(everything)
        if objective.name not in names:
            listed = ", ".join(names[:8]) or "none"
            says = f"no {wording.noun(objective)} at all; there were: {listed}"
    return Found("inconclusive", None, wording.sentence(says), needed=max(1, needed))


def absolute(objective: Objective, there: float) -> float:
    """The limit of a comparison in numbers, once it is known what the other window had."""
    return objective.factor * there + objective.limit
