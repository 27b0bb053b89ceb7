"""Where a selftest takes place: this machine (`here`), or a cluster (`cluster/`).

A ground has scratch places, each for one run at a time. What is seen at a place is seen from
outside of the run.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Sized
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Protocol

from harness.agent.effects import Process
from harness.experiment.model import Experiment
from harness.experiment.system_model import System
from harness.record.directory import RunDirectory
from harness.selftest.family import Family
from harness.selftest.results import Cell
from harness.selftest.steps import Steps
from harness.substrates.substrate import Substrate


class Victim(Protocol):
    """Who is killed. `stays`: what is done to it lasts until `relieve`. `strike` says how many were
    hit; `choose` is empty where nobody of that kind lives."""

    @property
    def name(self) -> str: ...
    @property
    def stays(self) -> bool: ...
    def choose(self, family: Family, harness: int) -> Sized: ...
    def strike(self, family: Family, harness: int) -> int: ...
    def relieve(self, family: Family, harness: int) -> None: ...


class Place(Protocol):
    """A small system that is shot at, with an experiment of one small fault.

    `target` is a process of it that lives outside of the run, those `beside` are there before it.
    `reached_s`: within this a run comes to each of its steps; `over_s`: within this it has ended by
    itself, whoever was killed. `patience_s`: so long after its end an effect is waited for."""

    @property
    def path(self) -> Path: ...
    @property
    def socket(self) -> Path: ...
    @property
    def environment(self) -> Mapping[str, str]: ...
    @property
    def target(self) -> Process | None: ...
    @property
    def beside(self) -> Sequence[int]: ...
    @property
    def reached_s(self) -> float: ...
    @property
    def over_s(self) -> float: ...
    @property
    def patience_s(self) -> float: ...
    @property
    def victims(self) -> Mapping[str, Victim]: ...
    def experiment(self) -> Experiment: ...
    def substrate(self, system: System) -> Substrate: ...

    def attend(self, steps: Steps) -> None:
        """Called often: whoever of the run came meanwhile can tell its steps from now on."""

    def traces(self, *, anew: bool = False) -> list[str]:
        """What an effect shows of itself, beyond the processes of the run: now, or (not `anew`) a
        moment ago, where a look takes much."""

    def taken_by(self) -> str:
        """Who took an effect along that nobody said anything of."""

    def left(self, directory: RunDirectory | None) -> tuple[str, ...]:
        """What of the run, or of what it did, stays there."""


class Ground(Protocol):
    """`lease_s` is that of the runs, `deadline_s` when a fault is to be gone, from the strike."""

    @property
    def alone(self) -> tuple[str, ...]:
        """Victims that all runs need: who strikes them waits until nobody else is there."""
        ...

    @property
    def quick(self) -> int:
        """So many kills make a quick one, or as many more as each fault, step and victim take."""
        ...

    @property
    def notes(self) -> tuple[str, ...]:
        """What is not offered there beside faults, and what is looked with."""
        ...

    @property
    def at_once(self) -> int:
        """How many places there are, 0 where that is not limited."""
        ...

    @property
    def lease_s(self) -> float: ...
    @property
    def deadline_s(self) -> float: ...
    @property
    def substrates(self) -> tuple[str, ...]: ...
    def why_not(self, cell: Cell) -> str:
        """Why no place can be had for this fault, or nothing. What a plan refuses is not asked."""

    def place(self, cell: Cell, path: Path) -> AbstractContextManager[Place]:
        """One that nobody else has for as long as the block; the files of it go to `path`."""
