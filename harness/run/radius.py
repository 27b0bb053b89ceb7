"""Whether a file allows what its plan would do: asked when the plan is made and again, by a fresh
look, before each fault."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from harness.agent.effects import Node
from harness.errors import NotReady, Refused
from harness.experiment.model import Experiment
from harness.record.plan import Plan
from harness.run.outage import moment, takes_out
from harness.run.reach import Effects, ends_all, host_of, listed, reach
from harness.substrates.substrate import Substrate, Surroundings, Topology

_HINT = "narrow the timeline (pick) or raise guard.blast_radius"


def check(experiment: Experiment, effects: Effects, substrate: Substrate) -> None:
    """Raises `Refused` for a plan that reaches further than its file allows."""
    around = _ask(experiment, effects, substrate)
    guard = experiment.guard
    whys = (reach(guard, effects, around), *(moment(guard, on, around) for on in moments(effects)))
    if why := next(filter(None, whys), ""):
        raise Refused(why, where=str(experiment.path), hint=_HINT)


@dataclass(frozen=True)
class Recheck:
    """The same once more, of what is there now. Nothing changes by itself on this machine."""

    experiment: Experiment
    plan: Plan
    substrate: Substrate

    def __call__(self, intervention: str, active: tuple[str, ...]) -> str:
        """Why this intervention may not begin beside those that are on, or nothing."""
        if self.plan.place is None:
            return ""
        effects = tuple(e for e in self.plan.effects if not e.prepare)
        on = tuple(e for e in effects if e.intervention in (intervention, *active))
        try:
            around = _ask(self.experiment, effects, self.substrate, anew=True)
        except (NotReady, Refused) as error:
            return error.message
        guard = self.experiment.guard
        gone = _gone(self.plan.of(intervention), around.topology)
        return gone or reach(guard, effects, around) or moment(guard, on, around)


def moments(effects: Effects) -> Iterator[Effects]:
    """What is on together when each of them begins."""
    for at in dict.fromkeys(e.at for e in effects):
        yield tuple(e for e in effects if e.at <= at <= e.at + e.lasts)


def _ask(
    experiment: Experiment, effects: Effects, substrate: Substrate, *, anew: bool = False
) -> Surroundings:
    nodes = (e for e in effects if isinstance(e.resource, Node) and ends_all(e))
    down = tuple(dict.fromkeys(host_of(e.resource) for e in nodes))
    return substrate.surroundings(experiment.system, down, outage=takes_out(effects), anew=anew)


def _gone(effects: Effects, topology: Topology) -> str:
    known = {r.name for r in topology.replicas}
    pods = {host_of(e.resource) for e in effects if e.resource.target.startswith("pod/")}
    gone = sorted(pods - known)
    return f"gone since the plan was made: {listed(gone)}" if gone else ""
