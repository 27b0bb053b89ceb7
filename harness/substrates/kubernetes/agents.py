"""Agents on nodes: their Jobs are made when a run begins, and deleted when it ends."""

from __future__ import annotations

import contextlib
import logging
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path

from harness.agent.effects import Resource
from harness.capabilities import Hands, HandsError
from harness.errors import NotReady, Refused
from harness.experiment.system_model import AgentPod
from harness.substrates.kubernetes import boarding, manifest
from harness.substrates.kubernetes.api import UNTRUSTED, Api, ApiError, Json
from harness.substrates.kubernetes.deadlines import Deadlines
from harness.substrates.kubernetes.hands import DistantHands, Staff
from harness.substrates.kubernetes.leases import Leases, held
from harness.substrates.kubernetes.objects import Pod, pod_of
from harness.substrates.kubernetes.shipping import code, command
from harness.substrates.kubernetes.stream import Exec
from harness.substrates.kubernetes.together import started_together
from harness.substrates.successor import SucceedingHands

READY_S, AGAIN_S = 60.0, 15.0
#: Where the API server was away, whoever makes pods of Jobs is elected anew (leases of 15 s), or
#: asks it again only after a pause.
_ELECTION_S = 30.0
_LOOK_S = 0.1
_HOPELESS = ("ErrImageNeverPull", "InvalidImageName", "ImagePullBackOff", "CreateContainerError",
             "CreateContainerConfigError", "RunContainerError", "CrashLoopBackOff")  # fmt: skip
_AT_ONCE = 8
#: Ends the id of a run, as successors of its agents have it.
_AGAIN = "-again"

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Crew:
    """Where and how agents live, for one run."""

    api: Api
    agent: AgentPod
    run_id: str
    lasts_s: float
    lease_s: float
    directory: Path
    #: The namespaces whose red button agents look at themselves.
    halted_by: tuple[str, ...] = ()
    #: The longest fault; 0: all that they are there for.
    longest_s: float = 0.0
    deadlines: Deadlines = field(default_factory=Deadlines)

    def prolong(self) -> None:
        """Whoever is alive says so, or the cluster ends its agents."""
        self.deadlines.prolong(self.api, self.deadline_s)

    @property
    def deadline_s(self) -> float:
        return (self.longest_s or self.lasts_s) + manifest.MARGIN_S

    @property
    def aboard(self) -> bool:
        """Agents live in their targets, by whose names they are known instead of nodes."""
        return self.agent.way == boarding.EPHEMERAL

    @property
    def jobs(self) -> str:
        return f"/apis/batch/v1/namespaces/{self.agent.namespace}/jobs"

    def job(self, node: str) -> str:
        return f"{self.jobs}/{manifest.pod_name(node, self.run_id)}"

    @property
    def pods(self) -> str:
        return f"/api/v1/namespaces/{self.agent.namespace}/pods"

    def log(self, node: str) -> Path:
        return self.directory / f"agent-{node}.log"

    def pod(self, node: str) -> Pod | None:
        """The pod of the Job, once there is one."""
        chosen = f"job-name={manifest.pod_name(node, self.run_id)}"
        found = map(pod_of, self.api.items(self.pods, labelSelector=chosen))
        return next((pod for pod in found if not pod.leaving), None)


@contextlib.contextmanager
def agents_on(crew: Crew, nodes: tuple[str, ...]) -> Iterator[Staff]:
    """An agent on each node, all started at once. Raises `Refused`, `NotReady`."""
    with contextlib.ExitStack() as stack, ThreadPoolExecutor(_AT_ONCE) as pool:
        if nodes and not crew.aboard:
            make_room(crew)
        for node in nodes:
            stack.callback(_remove, crew, node)
        first = started_together(lambda node: _start(crew, node), nodes, pool, crew.api)
        for hands in first.values():
            stack.callback(hands.close)

        def successor(node: str) -> DistantHands:
            fresh = _again(crew, node)
            stack.callback(fresh.close)
            return fresh

        def succeeded(node: str, hands: DistantHands) -> Hands:
            made = SucceedingHands(hands, lambda: successor(node))
            stack.callback(made.over)
            return made

        def hire(node: str) -> Hands:
            stack.callback(_remove, crew, node)
            try:
                hands = _start(crew, node)
            except (NotReady, Refused) as error:
                raise HandsError(str(error)) from None
            stack.callback(hands.close)
            first[node] = hands
            return succeeded(node, hands)

        agents = {node: succeeded(node, hands) for node, hands in first.items()}
        yield Staff(agents, hire, first, crew.prolong)


@contextlib.contextmanager
def visitor_on(crew: Crew, node: str) -> Iterator[DistantHands]:
    """One agent that only looks. Raises `Refused`, `NotReady`, that also on the API's `abort`."""
    try:
        with contextlib.closing(_start(crew, node)) as hands:
            yield hands
    finally:
        _remove(crew, node)


@contextlib.contextmanager
def leased(crew: Crew, nodes: tuple[str, ...], resources: tuple[Resource, ...]) -> Iterator[Leases]:
    """A Lease on each target, those of pods owned by the Job of the first agent."""
    if resources and not nodes and not crew.aboard:
        make_room(replace(crew, halted_by=()))
    owner = _owner(crew, nodes[0]) if nodes else None
    leases = Leases(crew.api, crew.agent.namespace, crew.run_id, resources, owner)
    with held(leases):
        yield leases


def _owner(crew: Crew, first: str) -> Json:
    path = f"{crew.pods}/{first}" if crew.aboard else crew.job(first)
    meta = crew.api.get(path)["metadata"]
    kind = ("v1", "Pod") if crew.aboard else ("batch/v1", "Job")
    named = {"name": meta["name"], "uid": meta["uid"]}
    return {"apiVersion": kind[0], "kind": kind[1], **named}


def make_room(crew: Crew) -> None:
    """The agents' own namespace and account, where nobody has installed them."""
    agent = crew.agent
    accounts = f"/api/v1/namespaces/{agent.namespace}/serviceaccounts"
    try:
        crew.api.ensure("/api/v1/namespaces", manifest.namespace(agent))
        crew.api.ensure(accounts, manifest.account(agent))
    except ApiError as error:
        raise refusal(error, f"the namespace {agent.namespace} for agents is not there") from None
    for namespace in crew.halted_by:
        _give_sight(crew, namespace)


def _give_sight(crew: Crew, namespace: str) -> None:
    """Where it was not installed and we may not, agents go by their leases alone, and say so."""
    place = f"/apis/{manifest.RBAC}/v1/namespaces/{namespace}"
    kinds = ("roles", "rolebindings")
    try:
        for kind, body in zip(kinds, manifest.sight(namespace, crew.agent), strict=True):
            crew.api.ensure(f"{place}/{kind}", body)
    except ApiError as error:
        log.info("the agents' Role in %s cannot be looked at: %s", namespace, error.told)


def _start(crew: Crew, node: str, within_s: float = READY_S) -> DistantHands:
    deadline = int(crew.deadline_s + READY_S)
    body = manifest.agent_job(node, crew.run_id, crew.agent, crew.lasts_s, deadline)
    try:
        if crew.aboard:
            return _come_aboard(crew, node)
        crew.deadlines.begin(crew.job(node))
        crew.api.ensure(crew.jobs, body)
        return _speak(crew, node, _awaited(crew, node, within_s))
    except ApiError as error:
        raise refusal(error, f"no agent on node {node}") from None
    except HandsError as error:
        raise NotReady(f"the agent on node {node} does not answer: {error}",
                       where=str(crew.log(node))) from None  # fmt: skip


def _awaited(crew: Crew, node: str, within_s: float) -> Pod:
    """Its pod, once it is ready."""
    begun = time.monotonic()
    while True:
        pod = crew.pod(node)
        if pod and pod.ready:
            return pod
        why = hopeless(pod) if pod else _why_no_pod(crew, node)
        if why:
            raise NotReady(f"the agent on node {node} cannot start: {why}", hint=_cure(crew, why))
        patience_s = within_s + (0.0 if pod else _ELECTION_S)
        if time.monotonic() > begun + patience_s:
            state = (pod.waiting or pod.phase) if pod else "there is no pod of it"
            hint = f"kubectl -n {crew.agent.namespace} describe pods"
            raise NotReady(
                f"the agent on node {node} is not ready within {patience_s:g} s: {state}", hint=hint
            )
        if crew.api.abort.wait(_LOOK_S):
            raise NotReady(f"the agent on node {node} was not waited for")


def _why_no_pod(crew: Crew, node: str) -> str:
    """What an admission says (Pod Security, quota) stands in the events of the Job."""
    where = f"/api/v1/namespaces/{crew.agent.namespace}/events"
    name = manifest.pod_name(node, crew.run_id)
    chosen = f"involvedObject.name={name},reason=FailedCreate"
    return next((str(e["message"]) for e in crew.api.items(where, fieldSelector=chosen)), "")


def hopeless(pod: Pod) -> str:
    """Why it will never be ready, or empty."""
    if pod.ended:
        return pod.waiting or f"its pod {pod.phase.lower()}"
    return pod.waiting if any(word in pod.waiting for word in _HOPELESS) else ""


def _cure(crew: Crew, why: str) -> str:
    if "PodSecurity" not in why:
        return "the System file names its image: kubernetes.agent.image"
    label = "pod-security.kubernetes.io/enforce=privileged"
    return f"agents are privileged: kubectl label namespace {crew.agent.namespace} {label}"


def _speak(crew: Crew, node: str, pod: Pod) -> DistantHands:
    words = command(crew.lease_s, crew.halted_by)
    stream = Exec(crew.api, pod.namespace, pod.name, words, crew.log(node))
    return _greeted(stream, DistantHands)


def _come_aboard(crew: Crew, pod: str) -> DistantHands:
    name = manifest.pod_name(pod, crew.run_id)
    boarding.board(crew.api, crew.agent.namespace, pod, name, crew.agent)
    words = command(crew.lease_s, inside=True)
    stream = Exec(crew.api, crew.agent.namespace, pod, words, crew.log(pod), container=name)
    run_id = crew.run_id.removesuffix(_AGAIN)
    return _greeted(stream, lambda opened: boarding.BoardingHands(opened, run_id))


def _greeted(stream: Exec, hands: Callable[[Exec], DistantHands]) -> DistantHands:
    """It gets its code, and says hello."""
    try:
        stream.writer.write(code())
        stream.writer.flush()
        return hands(stream)
    except (OSError, HandsError) as error:
        stream.close()
        said = str(error) if stream.status in ("", "Success") else stream.status
        raise HandsError(said, lost=True) from None


def _again(crew: Crew, node: str) -> DistantHands:
    """A successor, to take back and to look. What starts anew on the node (kubelet, runtime, its
    power) is waited for."""
    until = time.monotonic() + AGAIN_S
    while True:
        try:
            return _successor(crew, node)
        except (ApiError, HandsError, NotReady, Refused) as error:
            over = time.monotonic() > until or crew.api.given_up
            if over or crew.api.abort.wait(_LOOK_S):
                said = f"no other agent on node {node}: {error}"
                raise HandsError(said, lost=True) from None


def _successor(crew: Crew, node: str) -> DistantHands:
    """In the same pod, or in a new one: the API tells late that a pod is no more."""
    pod = None if crew.aboard else crew.pod(node)
    if pod and pod.ready:
        with contextlib.suppress(ApiError, HandsError):
            return _speak(crew, node, pod)
    return _start(replace(crew, run_id=f"{crew.run_id}{_AGAIN}"), node, AGAIN_S)


def _remove(crew: Crew, node: str) -> None:
    """Its deadline ends it where this does not."""
    if crew.aboard:
        return  # its process ends with its agent
    try:
        for each in (crew, replace(crew, run_id=f"{crew.run_id}{_AGAIN}")):
            crew.deadlines.end(each.job(node))
            crew.api.delete(each.job(node), propagationPolicy="Background")
    except ApiError as error:
        log.warning("the agent's Job on %s was not deleted: %s", node, error.told)


def refusal(error: ApiError, what: str) -> Refused | NotReady:
    """What a person reads: a verb that is forbidden is a refusal, a server that is away is not."""
    if error.status in (400, 401, 403, 404, 409, 422):
        hints = {401: "the credentials of the kubeconfig are not accepted: have they expired?",
                 403: "harness doctor --system FILE lists the verbs that are missing"}  # fmt: skip
        return Refused(f"{what}: {error.told}", hint=hints.get(error.status, ""))
    hint = "is the API server up, and the context right?"
    return NotReady(f"{what}: {error.told}", hint="" if error.reason == UNTRUSTED else hint)
