"""What substrates on this machine have in common: no accounts, no neighbours, no place but here."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import ClassVar

from harness.agent.effects import Act, Effect, Resource
from harness.experiment.model import Intervention
from harness.experiment.system_model import System
from harness.substrates.substrate import Replica, Surroundings, Topology


class OnThisMachine(ABC):
    """Most of a `Substrate`. `mechanisms`: what carries effects out, by the kind of resource."""

    sees_processes = True
    mechanisms: ClassVar[Mapping[type, str]]

    @abstractmethod
    def topology(self, system: System) -> Topology: ...

    def lacks(self, system: System, timeline: tuple[Intervention, ...]) -> str:
        return ""

    def caveat(self, system: System) -> str:
        return ""

    def surroundings(
        self, system: System, nodes: tuple[str, ...], *, outage: bool, anew: bool = False
    ) -> Surroundings:
        return Surroundings(self.topology(system))

    def forbids(self, kind: str, replica: Replica, *, named: bool = False) -> str:
        return ""

    def place(self) -> None:
        return None

    def cannot(self, resource: Resource, does: Effect | Act) -> str:
        return ""

    def mechanism(self, resource: Resource) -> str:
        return self.mechanisms[type(resource)]
