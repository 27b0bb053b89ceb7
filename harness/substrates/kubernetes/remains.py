"""What runs left in a cluster whose harness is gone, taken back by the receipts on their Leases.

It needs no run directory, so it works from anywhere: it is what the janitor does. Agents are not
asked: what they hold they take back themselves, at the end of their own lease.
"""

from __future__ import annotations

import getpass
import socket
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from harness.capabilities import HandsError
from harness.experiment.system_model import Cluster
from harness.substrates.kubernetes import manifest
from harness.substrates.kubernetes.agents import refusal
from harness.substrates.kubernetes.api import Api, ApiError, Json
from harness.substrates.kubernetes.connection import connect
from harness.substrates.kubernetes.leases import (
    TARGET,
    holder_of,
    leases_in,
    left_s,
    prolonged,
    was_in,
)
from harness.substrates.kubernetes.load_job import end_idle_load
from harness.substrates.kubernetes.platform import Platform


@dataclass(frozen=True)
class Remains:
    """Of one target. `held` tells for how long its run still has it; then nothing was touched."""

    run_id: str
    target: str
    held_s: float = 0.0
    taken_back: tuple[str, ...] = ()
    left: str = ""


def take_back(cluster: Cluster) -> tuple[Remains, ...]:
    """Whatever no run holds any more. Raises `Refused`, `NotReady`."""
    there = connect(cluster.context, cluster.kubeconfig)
    api = Api(there.configuration)
    try:
        found = api.items(leases_in(cluster.agent.namespace), labelSelector=_OURS)
        held = tuple(_of(api, cluster, lease) for lease in tuple(found))
        return (*held, *_load(api, cluster.load.namespace))
    except ApiError as error:
        raise refusal(error, f"the cluster cannot be asked ({there})") from None


def _load(api: Api, namespace: str) -> Iterator[Remains]:
    """What nobody waits for any more. A run that has load elsewhere has it in a Role of its own."""
    try:
        for job in end_idle_load(api, namespace):
            yield Remains(job, "a load without workers", taken_back=(f"{job} is deleted",))
    except ApiError as error:
        if error.status not in (403, 404):
            raise


def release(api: Api, namespace: str, run_id: str) -> None:
    """Delete the Leases of a run whose journal said what to take back, but for those with a
    receipt."""
    chosen = f"{_OURS},{manifest.RUN}={manifest.label_of(run_id)}"
    _delete(api, (lease for lease in api.items(leases_in(namespace), labelSelector=chosen)
                  if not was_in(lease)))  # fmt: skip


_OURS = f"{manifest.LABEL}={manifest.NAME}"


def _of(api: Api, cluster: Cluster, lease: Json) -> Remains:
    run = holder_of(lease).rpartition("/")[2]
    target = str((lease["metadata"].get("annotations") or {}).get(TARGET, ""))
    if left := left_s(lease):
        return Remains(run, target, held_s=left)
    try:
        mine = api.once("PUT", _path(lease), body=prolonged(lease, _who()))
        was = was_in(mine)
        done = Platform(api, cluster).restore(was) if was else ()
        _delete(api, (mine,))
    except (ApiError, HandsError) as error:
        return Remains(run, target, left=str(error))
    return Remains(run, target, taken_back=done)


def _delete(api: Api, leases: Iterable[Json]) -> None:
    """Unless somebody has taken them meanwhile."""
    for lease in leases:
        only = {"resourceVersion": lease["metadata"]["resourceVersion"]}
        api.delete(_path(lease), preconditions=only)


def _path(lease: Json) -> str:
    meta = lease["metadata"]
    return f"{leases_in(meta['namespace'])}/{meta['name']}"


def _who() -> str:
    return f"{getpass.getuser()}@{socket.gethostname()}/recover"
