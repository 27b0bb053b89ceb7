"""The way of the load while a world is open: its port-forward, if it has one, and what it takes."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from pathlib import Path

from harness.record import crossing
from harness.substrates.hands import AgentHands
from harness.substrates.kubernetes.connection import Connection
from harness.substrates.kubernetes.crossing import measured
from harness.substrates.kubernetes.forwarding import Forward, forwarded
from harness.substrates.kubernetes.topology import Found
from harness.substrates.substrate import Needs, Way


@contextlib.contextmanager
def doors(
    connection: Connection, namespace: str, found: Found, needs: Needs,
    agents: Mapping[str, AgentHands], directory: Path,
) -> Iterator[dict[str, str]]:  # fmt: skip
    """Where what a plan calls so is reached. How long that takes is in the run directory then."""
    ways = (w for w in found.topology.ways if w.origin == "here" and w.url == needs.url)
    way = None if needs.load_workers else next(ways, None)
    if way is None:
        yield {}
        return
    replicas = found.topology.named(way.service)
    pods = (found.pods[replica.name] for replica in replicas)
    with _forward(connection, namespace, found, way, directory) as moved:
        url = moved.get(way.url, way.url)
        told = measured(way, url, replicas[0].port, pods, agents)
        crossing.write(directory, told)
        yield moved


@contextlib.contextmanager
def _forward(
    connection: Connection, namespace: str, found: Found, way: Way, directory: Path
) -> Iterator[dict[str, str]]:
    if not way.forwarded:
        yield {}
        return
    pod = found.topology.named(way.service)[0]
    forward = Forward(
        connection.kubeconfig, connection.context, namespace, pod.workload, pod.port,
        str(directory / "forward.port"),
    )  # fmt: skip
    with forwarded(forward, directory / "forward.log") as here:
        yield {way.url: here}
