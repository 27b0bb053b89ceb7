"""Agents that only look: what each node offers to faults. They are gone when they have told it."""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from harness.agent.effects import Edge, Link, Processes, Resource
from harness.capabilities import Edges, HandsError, Links, Signals
from harness.errors import Exit, HarnessError
from harness.experiment.system_model import AgentPod
from harness.mechanisms.pods import MARK
from harness.substrates.kubernetes.agents import Crew, make_room, visitor_on
from harness.substrates.kubernetes.api import Api, ApiError
from harness.substrates.kubernetes.objects import Pod

_AT_ONCE = 8
_LASTS_S, _LEASE_S = 60.0, 5.0
_WORDS: dict[type, str] = {Links: "network.*", Edges: "dependency.*", Signals: "process.*"}


@dataclass(frozen=True)
class Visit:
    """`rungs` by what they carry out: each mechanism, and why it does not work. `ahead_s` is that
    clock against ours, known within `unsure_s`."""

    node: str
    why_not: str = ""
    cure: str = ""
    ends: Exit = Exit.PASS
    runtime: str = ""
    kernel: str = ""
    python: str = ""
    ahead_s: float = 0.0
    unsure_s: float = 0.0
    rungs: Mapping[str, Mapping[str, str]] = field(default_factory=dict)

    def blocks(self, needs: type) -> str:
        """Why nothing there does what this capability offers; empty where something does."""
        if self.why_not:
            return "no agent" if needs in _WORDS else ""
        rungs = self.rungs.get(_WORDS.get(needs, ""), {})
        return "; ".join(rungs.values()) if rungs and all(rungs.values()) else ""


def visit(api: Api, agent: AgentPod, pods: Mapping[str, Pod], logs: Path) -> Iterator[Visit]:
    """One to each node, with a pod of the system on it. An interrupt ends them all."""
    crew = Crew(api, agent, f"doctor-{secrets.token_hex(4)}", _LASTS_S, _LEASE_S, logs)
    make_room(crew)
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        try:
            yield from pool.map(lambda node: _visited(crew, node, pods[node]), sorted(pods))
        except BaseException:
            api.abort.set()
            raise


def _visited(crew: Crew, node: str, pod: Pod) -> Visit:
    try:
        with visitor_on(crew, node) as hands:
            ahead_s, unsure_s = min((hands.clock() for _ in range(5)), key=lambda found: found[1])
            told = hands.greeting
            rungs = {_WORDS[needs]: hands.rungs(it) for needs, it in _resources(pod).items()}
            return Visit(
                node, runtime=pod.runtime, kernel=told["kernel"], python=told["python"],
                ahead_s=ahead_s, unsure_s=unsure_s, rungs=rungs,
            )  # fmt: skip
    except HarnessError as error:
        return Visit(node, error.message, error.hint, error.exit_status)
    except (ApiError, HandsError) as error:
        return Visit(node, str(error), "", Exit.INVALID)


def _resources(pod: Pod) -> dict[type, Resource]:
    here = MARK + pod.uid
    return {
        Links: Link(pod.ref, here, "", pod.address),
        Edges: Edge(f"{pod.ref}->anywhere", here, (pod.address,), 1),
        Signals: Processes(pod.ref, netns=here),
    }
