"""One scratch namespace of a cluster while a run is shot at there."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from harness.agent.effects import Process
from harness.agent.stepping import LISTENER
from harness.experiment.model import Experiment
from harness.experiment.source import load_experiment
from harness.experiment.system_model import Cluster, System
from harness.faults import registry
from harness.record.directory import RunDirectory
from harness.selftest.cluster.sight import Sight
from harness.selftest.ground import Victim
from harness.selftest.steps import Steps
from harness.substrates.kubernetes.shipping import STEPS
from harness.substrates.registry import substrate_for
from harness.substrates.substrate import Substrate

#: How long pods take to go, their sandboxes and addresses with them, on a busy machine.
_OBJECTS_S = 60.0
_AGAIN_S = 1.0


@dataclass
class ClusterPlace:
    """As `ground.Place`. `cluster` is the namespace here."""

    path: Path
    cluster: Cluster
    sight: Sight
    patience_s: float
    victims: Mapping[str, Victim] = field(default_factory=dict)
    reached_s: float = 90.0
    over_s: float = 90.0
    target: Process | None = None
    beside: tuple[int, ...] = ()

    @property
    def socket(self) -> Path:
        return self.path / "steps"

    @property
    def environment(self) -> dict[str, str]:
        private = {"XDG_STATE_HOME": self.path / "state", "TMPDIR": self.path / "tmp"}
        return {LISTENER: str(self.socket), **{name: str(path) for name, path in private.items()}}

    def experiment(self) -> Experiment:
        """On the cluster that was asked for, in the namespace here."""
        file = self.path / "experiment.yaml"
        read = load_experiment(file, {}, None, registry.find, registry.names)
        return replace(read, system=replace(read.system, cluster=self.cluster))

    def substrate(self, system: System) -> Substrate:
        return substrate_for(system)

    def attend(self, steps: Steps) -> None:
        """Agents tell their steps where this machine reaches into their containers."""
        last = self.path / "reports" / "last"
        if not self.sight.run_id and last.is_symlink():
            self.sight.run_id = last.readlink().name
        for container in self.sight.into_agents():
            steps.listen(container / STEPS.lstrip("/"))

    def traces(self, *, anew: bool = False) -> list[str]:
        return self.sight.traces(anew=anew)

    def taken_by(self) -> str:
        """Nobody told it: whoever was there when it was last seen, or its pod's end."""
        return self.sight.last_alive() or "pod's end"

    def left(self, directory: RunDirectory | None) -> tuple[str, ...]:
        until = time.monotonic() + _OBJECTS_S
        while (found := tuple(self.sight.left())) and time.monotonic() < until:
            time.sleep(_AGAIN_S)
        return found
