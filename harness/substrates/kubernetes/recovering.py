"""Fresh agents for what a dead run left on a cluster: found again by the uid of its pods.

A pod that is gone has taken everything with it, for all that we change lives in its namespaces. The
agents of the dead run are deleted as well; what they still held, they take back at their end.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

from harness.agent.effects import Resource
from harness.capabilities import Hands
from harness.errors import NotReady, Refused
from harness.mechanisms.pods import MARK
from harness.record.plan import Place
from harness.substrates.kubernetes import manifest
from harness.substrates.kubernetes.agents import Crew, agents_on, refusal
from harness.substrates.kubernetes.api import Api, ApiError
from harness.substrates.kubernetes.connection import connect
from harness.substrates.kubernetes.hands import ClusterHands
from harness.substrates.kubernetes.leases import Leases
from harness.substrates.kubernetes.load_job import end_load
from harness.substrates.kubernetes.objects import pod_of
from harness.substrates.kubernetes.platform import Platform
from harness.substrates.kubernetes.reading import Reader
from harness.substrates.kubernetes.remains import release

_LASTS_S = 120.0


@contextlib.contextmanager
def hands_on(
    place: Place, directory: Path, resources: tuple[Resource, ...], lease_s: float
) -> Iterator[Hands]:
    """Raises `Refused` for another cluster than the run's, `NotReady` where it cannot be asked."""
    cluster = place.cluster
    run = directory.name
    try:
        api = _api_of(place)
        nodes = {resource.target: _node(api, resource) for resource in resources}
        remove_agents(api, cluster.agent.namespace, run)
    except ApiError as error:
        raise refusal(error, f"the cluster cannot be asked ({place})") from None
    crew = Crew(api, cluster.agent, f"recover-{run}", _LASTS_S, lease_s, directory)
    with agents_on(crew, tuple(sorted({*nodes.values()} - {""}))) as staff:
        there = cluster.agent.namespace
        platform = Platform(api, cluster, Leases(api, there, run, resources, None))
        yield ClusterHands(staff, lambda resource: nodes.get(resource.target, ""), platform)
    with contextlib.suppress(ApiError):  # they expire
        release(api, there, run)


def end_load_of(place: Place, run_id: str) -> tuple[str, ...]:
    """The load that a dead run has in pods. Raises `Refused`, `NotReady`, as `hands_on`."""
    try:
        return end_load(_api_of(place), place.cluster.load.namespace, run_id)
    except ApiError as error:
        raise refusal(error, f"the cluster cannot be asked ({place})") from None


def free(place: Place, run_id: str) -> None:
    """The targets that a dead run had Leases on, and held nothing. Where nobody can be asked, they
    expire."""
    with contextlib.suppress(ApiError, Refused, NotReady):
        release(_api_of(place), place.cluster.agent.namespace, run_id)


def _api_of(place: Place) -> Api:
    api = Api(connect(place.cluster.context, place.cluster.kubeconfig).configuration)
    _check_same(place, Reader(api, place.cluster.namespace))
    return api


def remove_agents(api: Api, namespace: str, run_id: str) -> None:
    """Every agent's Job of a run, and so their pods and Leases."""
    where = f"/apis/batch/v1/namespaces/{namespace}/jobs"
    chosen = f"{manifest.LABEL}={manifest.NAME},{manifest.RUN}={manifest.label_of(run_id)}"
    for item in api.items(where, labelSelector=chosen):
        api.delete(f"{where}/{item['metadata']['name']}", propagationPolicy="Background")


def _check_same(place: Place, reader: Reader) -> None:
    found = reader.cluster_uid
    if place.cluster.uid and found and found != place.cluster.uid:
        raise Refused(
            f"context {place.cluster.context} is another cluster now ({found}) than the run's "
            f"({place.cluster.uid})"
        )


def _node(api: Api, resource: Resource) -> str:
    """Where its pod is now; empty when that very pod is gone."""
    uid = getattr(resource, "netns", "").removeprefix(MARK)
    namespace, _, name = resource.target.partition("->")[0].removeprefix("pod/").partition("/")
    found = api.find(f"/api/v1/namespaces/{namespace}/pods/{name}")
    pod = pod_of(found) if found else None
    return pod.node if pod and pod.uid == uid and not pod.ended else ""
