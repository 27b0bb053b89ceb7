"""What a link fault on pods takes, asked to witnessed, and what delay comes of the one asked for.

`HARNESS_KUBECONFIG=… python benchmarks/pods.py [warm] [cold] [many]` on a cluster of three nodes.

    warm   an agent that is there: inject until its witness confirms, revert until it is seen gone
    cold   no agent yet: from opening the world until the first fault is witnessed
    many   one fault on 90 pods at once, 30 a node, each seen by its witness

Pods of its own, in a namespace of its own, which it deletes. Calls go to the agent by exec, and
judgements are the fault's own. Looks are as short as they
may be: five probes each way in 20 ms (in a run they take 1 s). Judges nothing.
"""

from __future__ import annotations

import contextlib
import itertools
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from harness.agent.effects import InForce, Link
from harness.capabilities import Links
from harness.experiment.system_file import load_system
from harness.experiment.system_model import Cluster, System
from harness.faults.fault import Held, Look
from harness.faults.network.latency import Latency
from harness.substrates.kubernetes.consent import ALLOW
from harness.substrates.kubernetes.substrate import KubernetesSubstrate
from harness.substrates.substrate import Needs

NAMESPACE = "harness-benchmark"
DELAYS = ("10ms", "50ms", "200ms")
WARM, COLD, NODES, PODS = 100, 5, 3, 30
LOOK_S, LEASE_S, READY_S = 0.02, 30.0, 240.0
_generations = itertools.count(1)
SYSTEM = f"""\
apiVersion: harness/v1
kind: System
metadata: {{name: benchmark}}
spec:
  kubernetes: {{namespace: {NAMESPACE}}}
  services: {{idle: {{workload: deploy/idle, port: 9}}}}
"""


@dataclass
class Fault:
    """One fault on one pod, again and again."""

    hands: Any
    link: Link
    fault: Latency
    took: dict[str, list[float]] = field(default_factory=dict)
    seen: list[float] = field(default_factory=list)

    def look_before(self) -> None:
        self.hands.mechanism(self.link, (self.fault.effect(),))
        self.before = Look(self.hands.measure(self.link, self.fault.effect(), 0.5))

    def once(self) -> None:
        snapshot = self.hands.snapshot(self.link)
        begun = since = time.monotonic()
        self._make(snapshot, InForce("one", self.fault.effect(), since))
        self._note("inject", begun)
        line = self._until(lambda look: self._confirmed(look, since))
        self._note("inject, witnessed", begun)
        self.seen.append(1e3 * line.value)
        begun = time.monotonic()
        self._make(snapshot)
        self._note("revert", begun)
        self._until(lambda look: not self.fault.gone(self._held((), since), look))
        assert self.hands.snapshot(self.link) == snapshot
        self._note("revert, seen gone", begun)

    def _make(self, snapshot: Any, *effects: InForce) -> None:
        self.hands.make(self.link, "benchmark", next(_generations), snapshot, effects)

    def _until(self, fine: Callable[[Look], Any]) -> Any:
        while True:
            if found := fine(Look(self.hands.measure(self.link, self.fault.effect(), LOOK_S))):
                return found

    def _confirmed(self, look: Look, since: float) -> Any:
        lines = self.fault.judge(self._held((look,), since))
        return lines[0] if lines and all(line.confirmed for line in lines) else None

    def _held(self, looks: tuple[Look, ...], since: float) -> Held:
        return Held(self.link, self.before, looks, since)

    def _note(self, what: str, begun: float) -> None:
        self.took.setdefault(what, []).append(1e3 * (time.monotonic() - begun))


def main() -> int:
    names = sys.argv[1:] or ["warm", "cold", "many"]
    with tempfile.TemporaryDirectory() as there:
        path = Path(there, "system.yaml")
        path.write_text(SYSTEM)
        system = load_system(path)
        with pods(KubernetesSubstrate(_cluster(system)), PODS if "many" in names else 1):
            for name in names:
                {"warm": warm, "cold": cold, "many": many}[name](system, Path(there))
    return 0


def warm(system: System, there: Path) -> None:
    with world(system, there, 1) as (hands, links, mechanism):
        print(f"\nwarm agent, {mechanism}{'p50':>27}{'p99':>11}")
        for delay in DELAYS:
            fault = Fault(hands, links[0], Latency(delay=delay))
            fault.look_before()
            for _ in range(WARM):
                fault.once()
            for what, took in fault.took.items():
                row(f"{delay}: {what}", took)
            row(f"{delay}: delay witnessed", fault.seen, float(delay.removesuffix("ms")))


def cold(system: System, there: Path) -> None:
    took = []
    for _ in range(COLD):
        begun = time.monotonic()
        with world(system, there, 1) as (hands, links, _):
            fault = Fault(hands, links[0], Latency(delay="10ms"))
            fault.look_before()
            fault.once()
            took.append(1e3 * (time.monotonic() - begun) - fault.took["revert, seen gone"][0])
    print(f"\n{'':44}{'p50':>9}{'p99':>11}")
    row("no agent yet: inject, witnessed", took)


def many(system: System, there: Path) -> None:
    with world(system, there, NODES * PODS) as (hands, links, _):
        faults = [Fault(hands, link, Latency(delay="50ms")) for link in links]
        with ThreadPoolExecutor(len(faults)) as pool:
            begun = time.monotonic()
            list(pool.map(Fault.look_before, faults))
            looked = 1e3 * (time.monotonic() - begun)
            list(pool.map(Fault.once, faults))
    print(
        f"\n{len(faults)} pods in one fault, before-looks in {looked:.0f} ms{'p50':>9}{'p99':>11}"
    )
    for what in faults[0].took:
        row(what, [fault.took[what][0] for fault in faults])
    row("delay witnessed", [fault.seen[0] for fault in faults], 50)


def row(name: str, values: list[float], reference: float = 0.0) -> None:
    middle, last = statistics.median(values), sorted(values)[-1 - len(values) // 100]
    more = f"{middle / reference:10.3f} x asked" if reference else ""
    print(f"{name:44}{middle:6.1f} ms{last:8.1f} ms{more}")


# ---------------------------------------------------------------- the cluster


@contextlib.contextmanager
def world(system: System, there: Path, count: int) -> Iterator[tuple[Any, list[Link], str]]:
    """Hands on so many pods, spread over nodes, and the mechanism of the first."""
    substrate = KubernetesSubstrate(_cluster(system))
    replicas = substrate.topology(system).named("idle")[:count]
    links = list(substrate.resources(Links, replicas, ()))
    needs = Needs(f"benchmark-{time.monotonic_ns()}", 600.0, tuple(links))
    over = threading.Event()
    with (
        substrate.open(system, there, LEASE_S, needs=needs) as found,
        ThreadPoolExecutor(1) as pool,
    ):
        pool.submit(renew, found.hands, over)
        try:
            yield found.hands, links, found.hands.mechanism(links[0])
        finally:
            over.set()


def renew(hands: Any, over: threading.Event) -> None:
    while not over.wait(1.0):
        hands.renew()


@contextlib.contextmanager
def pods(substrate: KubernetesSubstrate, a_node: int) -> Iterator[None]:
    """So many pods that do nothing on each node."""
    api, place = substrate.api, f"/api/v1/namespaces/{NAMESPACE}"
    meta = {"name": NAMESPACE, "labels": {ALLOW: "network"}}
    body = {"apiVersion": "v1", "kind": "Namespace", "metadata": meta}
    if api.find(place) is None:
        api.create("/api/v1/namespaces", body)
    try:
        api.create(f"/apis/apps/v1/namespaces/{NAMESPACE}/deployments", _deployment(a_node * NODES))
        until = time.monotonic() + READY_S
        while ready(api.items(f"{place}/pods")) < a_node * NODES and time.monotonic() < until:
            time.sleep(1.0)
        yield
    finally:
        api.delete(place)


def ready(found: Iterator[Any]) -> int:
    return sum(
        any(
            c["type"] == "Ready" and c["status"] == "True"
            for c in pod["status"].get("conditions", ())
        )
        for pod in found
    )


def _deployment(replicas: int) -> dict[str, Any]:
    labels = {"app": "idle"}
    spread = {
        "maxSkew": 1, "topologyKey": "kubernetes.io/hostname",
        "whenUnsatisfiable": "DoNotSchedule", "labelSelector": {"matchLabels": labels},
    }  # fmt: skip
    container = {
        "name": "idle", "image": "reliability-harness-pause", "imagePullPolicy": "IfNotPresent",
        "command": ["/pause"],
    }  # fmt: skip
    spec = {
        "containers": [container], "topologySpreadConstraints": [spread],
        "automountServiceAccountToken": False, "terminationGracePeriodSeconds": 1,
    }  # fmt: skip
    return {
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "idle"},
        "spec": {
            "replicas": replicas, "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": spec},
        },
    }  # fmt: skip


def _cluster(system: System) -> Cluster:
    assert system.cluster is not None, "it is on a cluster"
    return system.cluster


if __name__ == "__main__":
    sys.exit(main())
