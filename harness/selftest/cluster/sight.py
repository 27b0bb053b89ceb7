"""What is to be seen of a run at a scratch namespace, from outside of the run and its agents.

The node is asked by a looker, objects of the API server. What the API server does not tell while it
is away is not known then, and is asked again at the end.
"""

from __future__ import annotations

import contextlib
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from harness.selftest.cluster.eyes import Eyes
from harness.selftest.cluster.seen import Seen, differences
from harness.selftest.plain import ASKER, SERVER
from harness.substrates.kubernetes.api import ApiError, Json

_HALTED_BY, _AGENT = "--halted-by", "--in-pod"
#: Four questions to an API server that other shots ask as well.
_EVERY_S = 1.0
#: What each pod has of its own, and what passes.
_OWN = re.compile(
    r"^\d+: |@if\d+|(?:[0-9a-f]{2}:){5}[0-9a-f]{2}|link-netns\S* \S+| state \S+|qdisc \S+ \d+:"
)


@dataclass
class Sight:
    """`darkens`: the fault takes its node's power. `run_id`: of the run, once it is known."""

    seen: Seen
    eyes: Eyes
    darkens: bool = False
    run_id: str = ""
    #: Settings, and the network of each app, before the run.
    _settings: dict[str, str] = field(default_factory=dict)
    _networks: dict[str, list[str]] = field(default_factory=dict)
    #: Processes that were there before; pods of ours with their app, agents' pods.
    _strangers: set[tuple[int, int]] = field(default_factory=set)
    _pods: dict[str, str] = field(default_factory=dict)
    _agents: set[str] = field(default_factory=set)
    _changed: list[str] = field(default_factory=list)
    _asked: float = 0.0
    _alive: str = ""

    def begin(self) -> None:
        """Remember how it is with nothing on. Raises `ApiError`."""
        self._settings = self.seen.settings()
        self._know()
        look = self._look()
        if look is None:
            raise ApiError(0, "", f"nobody can look at node {self.seen.slot.node}")
        for uid, app in self._pods.items():
            self._networks[app] = _plain(look["network"].get(uid) or [])
        self._strangers = {_key(p) for p in look["ours"]}

    def traces(self, *, anew: bool = False) -> list[str]:
        """What an effect shows of itself, now or a moment ago."""
        self._ask(anew=anew)
        look = self._look(anew=anew)
        if look is None:
            return [*self._changed, *([self._dark()] if self.darkens else [])]
        found = [*self._changed, *self._in_pods(look)]
        if found:
            self._alive = self._who(look)
        return found

    def last_alive(self) -> str:
        """Of those that take back: who was there when a trace was last seen."""
        return self._alive

    def left(self) -> Iterator[str]:
        try:
            yield from differences(self._settings, self.seen.settings())
            yield from self.seen.marks()
            if self.run_id:
                yield from self.seen.objects_of(self.run_id)
        except ApiError as error:
            yield f"the API server does not answer: {error}"
        look = self._look(anew=True)
        if look is None:
            yield self._dark()
        else:
            yield from self._in_pods(look)
            yield from self._missing(look)
            yield from (f"process {p['pid']} {p['words'][-60:]}" for p in self._ours(look))
            yield from (f"a process of pod {uid}, an agent's" for uid in look["cgroups"])

    def agents(self) -> tuple[list[Json], list[Json]]:
        """Reapers, and agents: what was executed in an agent's pod, and its children."""
        look = self._look()
        return _split([p for p in self._ours(look) if _AGENT in p["words"]] if look else [])

    def into_agents(self) -> list[Path]:
        """The roots of their containers, where this machine can reach them."""
        root = self.eyes.root
        found = self.agents()[0] if root else []
        return [root / f"proc/{reaper['pid']}/root" for reaper in found] if root else []

    # ------------------------------------------------------------ helpers

    def _ask(self, *, anew: bool) -> None:
        """Now and then, and as far as the API server answers."""
        if time.monotonic() < self._asked + _EVERY_S and not anew:
            return
        self._asked, self._changed = time.monotonic(), []
        with contextlib.suppress(ApiError):
            self._changed = list(differences(self._settings, self.seen.settings()))
            self._know()

    def _know(self) -> None:
        """Pods are remembered: what is done to one that is about to go is seen as well."""
        there = [pod["metadata"] for pod in self.seen.pods(ASKER, SERVER)]
        self._pods |= {pod["uid"]: pod["labels"]["app"] for pod in there}
        if self.run_id:
            self._agents |= {p["metadata"]["uid"] for p in self.seen.agents_of(self.run_id)}

    def _look(self, *, anew: bool = False) -> Json | None:
        return self.eyes.look(tuple(self._pods), tuple(self._agents), anew=anew)

    def _dark(self) -> str:
        return f"node {self.seen.slot.node} does not answer"

    def _in_pods(self, look: Json) -> Iterator[str]:
        for uid, app in self._pods.items():
            normal = self._networks.get(app, [])
            lines = _plain(look["network"].get(uid) or [])
            yield from (f"{app}: new: {line}" for line in lines if line not in normal)
            stopped = look["stopped"].get(uid) or []
            yield from (f"{app}: {name} is stopped" for name in stopped)

    def _missing(self, look: Json) -> Iterator[str]:
        """Of pods that are there; one that is being made has not all of it yet."""
        for uid, app in self._pods.items():
            if lines := _plain(look["network"].get(uid) or []):
                gone = (line for line in self._networks.get(app, []) if line not in lines)
                yield from (f"{app}: gone: {line}" for line in gone)

    def _ours(self, look: Json) -> list[Json]:
        """Of this run: not those that were there before, nor what other runs have beside us."""
        new = [p for p in look["ours"] if _key(p) not in self._strangers]
        own = f"{_HALTED_BY} {self.seen.slot.namespace}"
        others = {p["pid"] for p in new if _HALTED_BY in p["words"] and own not in p["words"]}
        return [p for p in new if p["pid"] not in others and p["parent"] not in others]

    def _who(self, look: Json) -> str:
        reapers, agents = _split([p for p in self._ours(look) if _AGENT in p["words"]])
        return "agent" if agents else "reaper" if reapers else ""


def _split(there: list[Json]) -> tuple[list[Json], list[Json]]:
    pids = {p["pid"] for p in there}
    agents = [p for p in there if p["parent"] in pids]
    return [p for p in there if p not in agents], agents


def _plain(lines: list[str]) -> list[str]:
    return [" ".join(_OWN.sub(" ", line).split()) for line in lines]


def _key(process: Json) -> tuple[int, int]:
    return process["pid"], process["start"]
