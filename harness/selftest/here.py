"""A selftest on this machine: in worlds, at attached processes, in plain network namespaces."""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

from harness.faults import registry
from harness.selftest import plain
from harness.selftest.results import Cell
from harness.selftest.scratch import Scratch, scratch
from harness.substrates.registry import world_substrate


@dataclass(frozen=True)
class Here:
    """`toxiproxy`: the URL of one whose proxies are shot at, too. Leases are as short as a machine
    with two busy cores can renew them in time."""

    toxiproxy: str = ""
    lease_s: float = 1.0
    deadline_s: float = 2.0
    at_once: int = 0
    alone: tuple[str, ...] = ()
    quick: int = 100
    notes: tuple[str, ...] = ()

    @property
    def substrates(self) -> tuple[str, ...]:
        """`loopback` stands in where there are no namespaces."""
        own = (world_substrate().name, "attached", "plain")
        return (*own, self.toxiproxy) if self.toxiproxy else own

    def why_not(self, cell: Cell) -> str:
        if cell.substrate == "plain":
            return plain.why_not()
        fault = registry.find(cell.fault)
        assert fault, "chosen from the registry"
        if cell.substrate == self.toxiproxy and not fault.on_edges:
            return "a Toxiproxy disturbs calls alone"
        return ""

    def place(self, cell: Cell, path: Path) -> AbstractContextManager[Scratch]:
        fault = registry.find(cell.fault)
        assert fault, "chosen from the registry"
        return scratch(path, cell.substrate, fault)
