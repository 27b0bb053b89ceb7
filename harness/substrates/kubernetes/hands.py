"""Hands that reach over nodes: each request goes to the agent of the node that its target is on.

Clocks are those of machines: an agent's monotonic seconds are told from ours when it says hello,
and whatever has a time is put into the other's on the way there and back.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import suppress
from dataclasses import replace
from typing import NamedTuple

from harness.agent.effects import (
    Act,
    DeletePod,
    Effect,
    Exercised,
    InForce,
    Kill,
    KillContainer,
    Pod,
    Processes,
    Resource,
    Seen,
    Snapshot,
)
from harness.capabilities import Hands, HandsError
from harness.substrates.hands import AgentHands
from harness.substrates.kubernetes.platform import MECHANISM, Platform
from harness.substrates.kubernetes.stream import Exec

#: All agents answer within this, or the lease is lost.
_RENEW_S = 3.0


class DistantHands(AgentHands):
    """The agent of one node."""

    def __init__(self, stream: Exec) -> None:
        super().__init__(stream.reader, stream.writer)
        self._stream = stream
        asked = time.monotonic()
        self.greeting = self.hello()
        self._ahead_s = self.greeting["monotonic"] - (asked + time.monotonic()) / 2

    def clock(self) -> tuple[float, float]:
        """By how much its clock is ahead of ours, in seconds, and the uncertainty of that."""
        begun = time.monotonic()
        there, here = self.hello()["wall"], time.time()
        took_s = time.monotonic() - begun
        return there - (here - took_s / 2), took_s / 2

    def make(
        self, resource: Resource, receipt: str, generation: int,
        snapshot: Snapshot, effects: tuple[InForce, ...],
    ) -> None:  # fmt: skip
        there = tuple(replace(e, since=e.since + self._ahead_s) for e in effects)
        super().make(resource, receipt, generation, snapshot, there)

    def act(self, resource: Resource, receipt: str, act: Act, effect_id: str) -> Seen:
        return self._here(super().act(resource, receipt, act, effect_id))

    def measure(self, resource: Resource, effect: Effect | Act | None, for_s: float) -> Seen:
        return self._here(super().measure(resource, effect, for_s))

    def give_up(self) -> None:
        """A line on which nothing comes any more: whoever waits for an answer is told so."""
        self._stream.cut()

    def close(self, wait_s: float = 5.0) -> None:
        self._stream.close()
        super().close(wait_s)

    def _here(self, seen: Seen) -> Seen:
        return replace(seen, begin=seen.begin - self._ahead_s, end=seen.end - self._ahead_s)


class Staff(NamedTuple):
    """Agents by node; `hire` starts one more on another node, and raises `HandsError`. `first` are
    they themselves, without successors: for what is no part of a fault. `prolong` puts off the end
    of all of them; it is called at each renewal."""

    agents: dict[str, Hands]
    hire: Callable[[str], Hands]
    first: dict[str, DistantHands]
    prolong: Callable[[], None]


class ClusterHands:
    """The agents of `staff`; `places` tells the node of a resource's target, empty when it is gone;
    `platform` is asked for what is the API server's."""

    def __init__(self, staff: Staff, places: Callable[[Resource], str], platform: Platform) -> None:
        self._agents, self._hire, self._first, self._prolong = staff
        self._hiring = threading.Lock()
        self._place = places
        self._platform = platform
        self._killed: dict[str, Processes] = {}
        self._met: dict[str, Exercised] = {}
        self._pool = ThreadPoolExecutor(max(32, 2 * len(staff.agents)), thread_name_prefix="renew")

    def mechanism(self, resource: Resource, effects: tuple[Effect, ...] = ()) -> str:
        if self._platform.takes(resource):
            return MECHANISM
        return self._of(resource).mechanism(resource, effects)

    def snapshot(self, resource: Resource) -> Snapshot:
        if self._platform.takes(resource):
            return self._platform.snapshot(resource)
        return self._of(resource).snapshot(resource)

    def make(
        self, resource: Resource, receipt: str, generation: int,
        snapshot: Snapshot, effects: tuple[InForce, ...],
    ) -> None:  # fmt: skip
        if self._platform.takes(resource):
            return self._platform.make(resource, snapshot, effects)
        return self._of(resource).make(resource, receipt, generation, snapshot, effects)

    def act(self, resource: Resource, receipt: str, act: Act, effect_id: str) -> Seen:
        if isinstance(resource, Pod) and isinstance(act, KillContainer):
            processes = self._platform.pods.container(resource, act.container)
            self._killed[effect_id] = processes
            return self._of(processes).act(processes, receipt, Kill(act.signal), effect_id)
        if isinstance(resource, Pod):
            self._count_callers(resource, effect_id)
            return self._platform.act(resource, act, effect_id)
        return self._of(resource).act(resource, receipt, act, effect_id)

    def measure(self, resource: Resource, effect: Effect | Act | None, for_s: float) -> Seen:
        if self._platform.takes(resource):
            return self._platform.measure(resource, effect, self._listen(resource, effect, for_s))
        return self._of(resource).measure(resource, effect, for_s)

    def _listen(self, resource: Resource, effect: Effect | Act | None, for_s: float) -> float:
        """Before a pod or its container ends, its agent hears who calls it; what is left of the
        time."""
        if not isinstance(resource, Pod) or not for_s:
            return for_s
        if not isinstance(effect, (DeletePod, KillContainer)):
            return for_s
        with suppress(HandsError):  # it is between two lives: nobody calls it
            processes = self._serving(resource, effect)
            self._of(processes).measure(processes, Kill(), for_s)
            return 0.0
        return for_s

    def _count_callers(self, pod: Pod, effect_id: str) -> None:
        """Of one that is about to be deleted: afterwards nobody can be asked."""
        self._met[effect_id] = Exercised(0, "connections")
        with suppress(HandsError):
            processes = self._serving(pod, DeletePod())
            self._met[effect_id] = self._of(processes).exercised(processes, effect_id)

    def _serving(self, pod: Pod, act: DeletePod | KillContainer) -> Processes:
        name = act.container if isinstance(act, KillContainer) else ""
        return self._platform.pods.container(pod, name)

    def exercised(self, resource: Resource, effect_id: str) -> Exercised:
        if effect_id in self._met:
            return self._met[effect_id]
        if effect_id in self._killed:
            resource = self._killed[effect_id]
        elif self._platform.takes(resource):
            return self._platform.exercised(effect_id)
        return self._of(resource).exercised(resource, effect_id)

    def renew(self) -> None:
        """All at once: one node that does not answer must not cost the others their lease. Its line
        is given up, so that a successor takes back and looks, if the cluster lets one."""
        self._pool.submit(self._prolong)
        agents = list(self._agents.items())
        asked = {self._pool.submit(agent.renew): node for node, agent in agents}
        done, late = wait(asked, timeout=_RENEW_S)
        failed = {asked[f]: str(f.exception()) for f in done if f.exception()}
        failed |= {asked[f]: f"no answer within {_RENEW_S:g} s" for f in late}
        for future in late:
            self._first[asked[future]].give_up()
        if failed:
            self._platform.leave()
            said = "; ".join(f"{node}: {why}" for node, why in sorted(failed.items()))
            raise HandsError(f"the lease of an agent was lost: {said}", lost=True)

    def _of(self, resource: Resource) -> Hands:
        node = self._place(resource)
        if not node:
            raise HandsError(f"{resource.target} is gone", target_gone=True)
        return self._agents.get(node) or self._hired(node)

    def _hired(self, node: str) -> Hands:
        """What took the place of a target may be where nobody was."""
        with self._hiring:
            if node not in self._agents:
                self._agents[node] = self._hire(node)
            return self._agents[node]
