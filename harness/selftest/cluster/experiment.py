"""The files of a run at a scratch namespace: a system of two workloads, and one small fault."""

from __future__ import annotations

from pathlib import Path

from harness.capabilities import Edges, Links, Nodes, Signals
from harness.faults.fault import Fault
from harness.selftest.cluster.objects import PORT
from harness.selftest.cluster.seen import Seen
from harness.selftest.plain import ASKER, SERVER
from harness.selftest.scratch import experiment_of

#: Long enough to be looked at twice; a node takes its time.
_LASTS_S, _NODES_S = 5.0, 10.0
_SYSTEM = """\
apiVersion: harness/v1
kind: System
metadata: {{name: selftest}}
spec:
  kubernetes: {{namespace: {namespace}}}
  services:
    asker: {{workload: deploy/asker, port: {port}, calls: [server]}}
    server: {{workload: deploy/server, port: {port}}}
"""
_GUARD = "  guard: {{blast_radius: {{namespaces: [{names}]}}}}\n"


def files(path: Path, fault: type[Fault], seen: Seen, *, anybody: bool) -> None:
    """`anybody`: others who live on the node may be hit with it."""
    (path / "tmp").mkdir(parents=True)
    slot = seen.slot
    system = _SYSTEM.format(namespace=slot.namespace, port=PORT)
    lasts_s = _NODES_S if fault.needs is Nodes else _LASTS_S
    guard = ""
    if anybody and fault.needs is Nodes:
        guard = _GUARD.format(names=", ".join(seen.neighbours()))
    (path / "system.yaml").write_text(system)
    (path / "experiment.yaml").write_text(experiment_of(fault, _where(fault, seen), lasts_s, guard))


def acted_on(fault: type[Fault]) -> str:
    """The app whose pods it acts on."""
    return ASKER if fault.needs in (Links, Edges) else SERVER


def by_agents(fault: type[Fault]) -> bool:
    """Whoever carries it out ends it, whatever becomes of the harness."""
    return fault.needs in (Links, Edges, Signals)


def _where(fault: type[Fault], seen: Seen) -> str:
    if fault.kind == "zone.down":
        return f"target: zone/{seen.zone()}"
    if fault.kind == "region.down":
        return f"target: region/{seen.region()}"
    if fault.needs is Nodes:
        return f"target: node/{seen.slot.node}"
    return "from: asker, to: server" if acted_on(fault) == ASKER else "target: server"
