"""Every network fault, made by each rung and judged by its witness: honestly, and sabotaged."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Iterable
from typing import Any

import pytest
from rungs import RUNGS, Rung
from small_world import SmallWorld
from wired import honest_cables

from harness.agent.effects import Curve, InForce, Link, LinkProfile
from harness.faults import registry
from harness.faults.fault import Held, Look
from harness.faults.network._link import LinkFault
from harness.record.witness import Witnessed

LOOK_S = 0.6
FIRST = "wire"
#: Refused by name, so that the ladder goes on to the next rung.
NOT_TAKEN = {
    ("netem", "network.corrupt"), ("netem", "network.partition"), ("nfqueue", "network.partition"),
}  # fmt: skip
#: About 120 probes a look. Half of 30 % passes for it once in 10^13 with so many.
MANY = 8
MEASURED = ("network.latency", "network.bandwidth")  # not drawn: few probes tell

FAULTS: dict[str, dict[str, Any]] = {
    "network.latency": {"delay": "40ms", "jitter": "5ms"},
    "network.loss": {"loss": "30%"},
    "network.bandwidth": {"rate": "8mbit"},
    "network.partition": {"mode": "reject"},
    "network.duplicate": {"duplicate": "30%"},
    "network.reorder": {"reorder": "30%"},
    "network.corrupt": {"corrupt": "30%"},
}
SIMILAR: dict[str, dict[str, Any]] = {
    "network.latency": {"delay": {"ramp": "20ms..80ms", "over": "2s"}, "direction": "both"},
    "network.loss": {"loss": {"step": ["10%", "40%"], "every": "0.7s"}, "direction": "back"},
    "network.bandwidth": {"rate": "400kbit", "direction": "both", "protocol": "udp"},
    "network.partition": {"mode": "drop", "direction": "forth", "protocol": "icmp"},
    "network.duplicate": {"duplicate": "20%", "ports": (53,), "protocol": "udp"},
    "network.reorder": {"reorder": "20%", "hold": "30ms", "direction": "both"},
    "network.corrupt": {"corrupt": "10%", "protocol": "icmp"},
}


def fault_of(kind: str, fields: dict[str, Any]) -> LinkFault:
    found = registry.find(kind)
    assert found is not None
    assert issubclass(found, LinkFault)
    return found(**fields)


@dataclasses.dataclass
class Tried:
    """A fault held for some looks, with what it made, and others in force all along."""

    world: SmallWorld
    rung: Rung
    fault: LinkFault
    looks: int = 2
    others: tuple[tuple[Link, LinkProfile], ...] = ()

    def __post_init__(self) -> None:
        honest_cables(self.world)
        self.link = self.rung.link(self.world, "a")
        self.mechanism = self.rung.mechanism()
        self.after = ""

    def judged(self, made: LinkProfile) -> tuple[Witnessed, ...]:
        """`made` is what is really done, in place of what the fault asks for."""
        links = dict.fromkeys((self.link, *(link for link, _ in self.others)))
        snapshots = {link: self.mechanism.snapshot(link) for link in links}
        others = tuple(
            (link, InForce(f"other-{n}", profile, time.monotonic()))
            for n, (link, profile) in enumerate(self.others)
        )
        for link in links:
            self.mechanism.make(link, snapshots[link], of(link, others))
        before = self._look(others)
        since = time.monotonic()
        mine = InForce("mine", made, since)
        self.mechanism.make(self.link, snapshots[self.link], (*of(self.link, others), mine))
        looks = tuple(self._look(others) for _ in range(self.looks))
        held = Held(self.link, before, looks, since)
        self.mechanism.make(self.link, snapshots[self.link], of(self.link, others))
        self.after = self.fault.gone(held, self._look(others))
        for link in links:
            self.mechanism.make(link, snapshots[link], ())
        return self.fault.judge(held)

    def _look(self, others: tuple[tuple[Link, InForce], ...]) -> Look:
        seen = self.mechanism.measure(self.link, self.fault.effect(), LOOK_S)
        return Look(seen, others)


def of(link: Link, effects: tuple[tuple[Link, InForce], ...]) -> tuple[InForce, ...]:
    return tuple(effect for on, effect in effects if on == link)


def on_rungs(
    *few: str, first: Iterable[str] = FAULTS, but: tuple[str, ...] = ()
) -> pytest.MarkDecorator:
    """The first rung with all these faults; judging is the same for all, so the others with few.
    `but`: rungs whose docstring says that their witness does not see this."""
    cases = [
        (name, kind)
        for name in RUNGS
        for kind in (few if name != FIRST else first)
        if (name, kind) not in NOT_TAKEN and name not in but
    ]
    return pytest.mark.parametrize(
        ("rung", "kind"), [pytest.param(RUNGS[n], kind, id=f"{n}-{kind}") for n, kind in cases]
    )


@on_rungs(*FAULTS)
@pytest.mark.parametrize("cases", [FAULTS, SIMILAR], ids=["plain", "otherwise"])
def test_an_honest_fault_is_confirmed_and_seen_gone(
    rung: Rung, kind: str, cases: dict[str, dict[str, Any]]
) -> None:
    def check(world: SmallWorld) -> None:
        tried = Tried(world, rung, fault_of(kind, cases[kind]))
        judged = tried.judged(tried.fault.effect())
        assert judged
        assert all(each.confirmed is not False for each in judged), judged
        assert tried.after == ""

    rung.run(check)


@on_rungs("network.loss")
def test_doing_nothing_is_not_confirmed(rung: Rung, kind: str) -> None:
    def check(world: SmallWorld) -> None:
        tried = Tried(world, rung, fault_of(kind, FAULTS[kind]), looks=1)
        assert any(each.confirmed is False for each in tried.judged(LinkProfile()))

    rung.run(check)


@on_rungs(*MEASURED, first=[kind for kind in FAULTS if kind != "network.partition"])
def test_half_the_strength_is_not_confirmed(rung: Rung, kind: str) -> None:
    def check(world: SmallWorld) -> None:
        looks = 2 if kind in MEASURED else MANY
        tried = Tried(world, rung, fault_of(kind, FAULTS[kind]), looks)
        judged = tried.judged(halved(tried.fault.effect()))
        assert any(each.confirmed is False for each in judged), judged

    rung.run(check)


def halved(profile: LinkProfile) -> LinkProfile:
    names = ("delay", "loss", "duplicate", "reorder", "corrupt")
    changed: dict[str, Any] = {
        name: scaled(getattr(profile, name), 0.5) for name in names if getattr(profile, name)
    }
    if profile.rate:
        changed["rate"] = scaled(profile.rate, 2.0)
    return dataclasses.replace(profile, **changed)


def scaled(curve: Curve, by: float) -> Curve:
    return Curve(tuple((at, value * by) for at, value in curve.points), curve.smooth, curve.every)


@on_rungs("network.latency", "network.partition")
def test_one_direction_only_is_not_confirmed(rung: Rung, kind: str) -> None:
    def check(world: SmallWorld) -> None:
        tried = Tried(world, rung, fault_of(kind, {**FAULTS[kind], "direction": "both"}), looks=1)
        judged = tried.judged(dataclasses.replace(tried.fault.effect(), direction="forth"))
        assert {each.field.split()[-1] for each in judged if each.confirmed is False} == {"back"}

    rung.run(check)


@on_rungs(
    "network.latency", first=("network.latency", "network.loss", "network.partition"),
    but=("nfqueue",),
)  # fmt: skip
def test_one_of_two_peers_only_is_not_confirmed(rung: Rung, kind: str) -> None:
    def check(world: SmallWorld) -> None:
        tried = Tried(world, rung, fault_of(kind, FAULTS[kind]), looks=4)
        one = (world.addresses["b"],)
        judged = tried.judged(dataclasses.replace(tried.fault.effect(), peers=one))
        assert any(each.confirmed is False for each in judged), judged

    rung.run(check)


@pytest.mark.parametrize("rung", RUNGS.values(), ids=list(RUNGS))
def test_other_faults_on_the_way_are_taken_out(rung: Rung) -> None:
    def check(world: SmallWorld) -> None:
        slow, lossy = Curve.constant(0.03), Curve.constant(0.2)
        b = LinkProfile(direction="back", delay=slow)
        others = (
            (rung.link(world, "a"), LinkProfile(delay=slow, loss=lossy)),
            (rung.link(world, "client"), b),
            (rung.link(world, "b"), b),
        )
        for kind in ("network.latency", "network.loss"):
            tried = Tried(world, rung, fault_of(kind, FAULTS[kind]), others=others)
            judged = tried.judged(tried.fault.effect())
            assert all(each.confirmed is not False for each in judged), judged
            assert tried.after == ""

    rung.run(check)
