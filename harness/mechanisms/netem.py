"""Link faults by the kernel's own netem, where it has it: the least overhead of all.

What a host sends is treated at its card, what it is sent on a device of its own that it is led
through. Queues stay when their owner dies, so the reaper takes them away. A card that has queues
of somebody else is refused. Caveat: the kernel loses a packet or two when its queues come and go;
filters read the ports right behind a header without options; corruption, answers to the sender, and
reordering of what is delayed as well are not netem's.
"""

from __future__ import annotations

import random
import threading
import time
from dataclasses import dataclass, field
from typing import Dict, Iterable, Optional, Sequence, Tuple

from harness.agent.effects import Effect, Exercised, InForce, Link, LinkProfile, LinkSeen, Snapshot
from harness.agent.protocol import Failed, TargetGone
from harness.mechanisms.hosts import Host, host_at
from harness.mechanisms.namespaces import Once, identity, inside, tried_apart
from harness.mechanisms.netem_plan import MOST, profile_of, refusal
from harness.mechanisms.netem_side import OURS, Side
from harness.mechanisms.pipeline import Jitter
from harness.mechanisms.probes import Prober, slowest
from harness.mechanisms.qdiscs import INGRESS, INGRESS_HANDLE, ROOT, Netem, Queues

_CURVE_S, _JITTER_S = 0.05, 0.01
_DRAIN_S = 1.0


class KernelNetem:
    """The mechanism of `Link` where the kernel has netem."""

    name = "netem"

    def __init__(self) -> None:
        self._holdings: Dict[Link, _Holding] = {}
        self._guard = threading.Lock()
        self._prober = Prober()
        self._refusal = Once(_refusal)

    def works(self, link: Optional[Link] = None, effects: Tuple[Effect, ...] = ()) -> str:
        asked = [effect for effect in effects if isinstance(effect, LinkProfile)]
        found = self._refusal() or refusal(asked)
        return found or ("" if link is None or self._held(link) else _not_free(link))

    def snapshot(self, link: Link) -> Snapshot:
        """The queues of the card; while we hold it, those before."""
        holding = self._holding(link)
        with holding.lock:
            return holding.snapshot or _look(link)

    def make(self, link: Link, snapshot: Snapshot, effects: Tuple[InForce, ...]) -> None:
        holding = self._holding(link)
        with holding.lock:
            holding.stop()
            if not effects:
                self._take_out(link, holding, snapshot)
                return
            _check(link, snapshot, effects)
            holding.snapshot = snapshot
            holding.slowest_s = max(holding.slowest_s, slowest(effects))
            holding.jitters.update(
                (e.id, Jitter(profile_of(e).jitter, random.Random(e.draws)))
                for e in effects
                if e.id not in holding.jitters
            )
            inside(link.netns, lambda: _put_in(holding, snapshot.settings["card"], effects))
            holding.start(link.netns, effects)

    def measure(self, link: Link, effect: Optional[LinkProfile], for_s: float) -> LinkSeen:
        with self._guard:
            holdings = list(self._holdings.values())
        return self._prober.look(link, effect, for_s, sum(each.slowest_s for each in holdings))

    def exercised(self, link: Link, effect_id: str) -> Exercised:
        holding = self._holding(link)
        with holding.lock:
            if holding.sides:
                holding.counts.update(inside(link.netns, holding.count))
        return Exercised(holding.counts.get(effect_id, 0), "packets")

    def _take_out(self, link: Link, holding: _Holding, snapshot: Snapshot) -> None:
        if str(identity(link.netns)) == snapshot.settings.get("netns"):
            inside(link.netns, lambda: _take_away(holding, snapshot))
        holding.forget()

    def _held(self, link: Link) -> bool:
        return self._holding(link).snapshot is not None

    def _holding(self, link: Link) -> _Holding:
        with self._guard:
            return self._holdings.setdefault(link, _Holding())


@dataclass
class _Holding:
    """What we did to one link; `snapshot` is set from before the change until after its end."""

    lock: threading.RLock = field(default_factory=threading.RLock)
    snapshot: Optional[Snapshot] = None
    sides: Dict[bool, Side] = field(default_factory=dict)
    jitters: Dict[str, Jitter] = field(default_factory=dict)
    counts: Dict[str, int] = field(default_factory=dict)
    slowest_s: float = 0.0
    _over: Optional[threading.Event] = None
    _thread: Optional[threading.Thread] = None

    def count(self) -> Dict[str, int]:
        found: Dict[str, int] = {}
        for side in self.sides.values():
            for name, count in side.counts().items():
                found[name] = found.get(name, 0) + count
        return found

    def start(self, netns: str, effects: Sequence[InForce]) -> None:
        """Follow curves and jitters, where there are any."""
        pause = _pause(effects)
        if not pause:
            return
        over = self._over = threading.Event()
        sides = list(self.sides.values())

        def follow() -> None:
            while not over.wait(pause):
                for side in sides:
                    side.follow()

        def quietly() -> None:
            try:
                inside(netns, follow)
            except OSError:  # the card is gone, and the witness sees it
                return

        self._thread = threading.Thread(target=quietly, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        if self._over is not None and self._thread is not None:
            self._over.set()
            self._thread.join()
        self._over = self._thread = None

    def forget(self) -> None:
        self.snapshot, self.slowest_s = None, 0.0
        self.sides, self.jitters = {}, {}


def _pause(effects: Sequence[InForce]) -> float:
    """How often something changes by itself; 0 for never."""
    profiles = [profile_of(effect) for effect in effects]
    if any(profile.jitter for profile in profiles):
        return _JITTER_S
    curves = [c for p in profiles for c in (p.delay, p.loss, p.duplicate, p.reorder, p.rate) if c]
    return 0.0 if all(curve.is_constant for curve in curves) else _CURVE_S


# ---------------------------------------------------------------- in the card's namespace


def _put_in(holding: _Holding, card: str, effects: Sequence[InForce]) -> None:
    for forth in (True, False):
        needed = any(
            profile_of(e).direction in ("both", "forth" if forth else "back") for e in effects
        )
        if needed and forth not in holding.sides:
            holding.sides[forth] = _begin(card, forth, holding.jitters)
    for side in holding.sides.values():
        side.set(effects)


def _begin(card: str, forth: bool, jitters: Dict[str, Jitter]) -> Side:
    side = Side(card if forth else through(card), forth, jitters)
    with Queues() as net:
        if forth:
            _remove_root(net, card)  # of a make that was killed halfway
        else:
            _remove_ingress(net, card)
            net.add_ifb(side.device)
            net.set_queue(side.device, 1000)
            net.up(side.device)
    side.begin()
    if not forth:
        with Queues() as net:
            net.add_ingress(card)
            net.redirect(card, side.device)
    return side


def _take_away(holding: _Holding, snapshot: Snapshot) -> None:
    """Nothing new is held; what is held goes on in its time, then the queues go."""
    card = snapshot.settings["card"]
    if holding.sides:
        for side in holding.sides.values():
            side.set(())
        holding.counts.update(holding.count())
        _drain(holding.sides.values())
    with Queues() as net:
        _remove_root(net, card)
        if not snapshot.settings["ingress"]:
            _remove_ingress(net, card)


def _drain(sides: Iterable[Side]) -> None:
    """Wait until nothing is held any more, or our patience ends."""
    until = time.monotonic() + _DRAIN_S
    with Queues() as net:
        while time.monotonic() < until and any(_held_by(net, side.device) for side in sides):
            time.sleep(0.002)


def _held_by(net: Queues, card: str) -> int:
    return sum(q.held for q in net.qdiscs(card) if q.handle == OURS)


def _remove_root(net: Queues, card: str) -> None:
    if any(q.handle == OURS and q.parent == ROOT for q in net.qdiscs(card)):
        net.delete_qdisc(card, OURS, ROOT)


def _remove_ingress(net: Queues, card: str) -> None:
    """Only where what comes in is led through our device."""
    if net.device(through(card)) is None:
        return
    if any(q.parent == INGRESS for q in net.qdiscs(card)):
        net.delete_qdisc(card, INGRESS_HANDLE, INGRESS)
    net.delete(through(card))


def through(card: str) -> str:
    """The device that what comes in on the card is led through."""
    return f"hx~{card}"[:15]


# ---------------------------------------------------------------- before anything is done


def _look(link: Link) -> Snapshot:
    host = _host(link)
    root, ingress, device = inside(link.netns, lambda: _queues(host.device))
    settings = {
        "netns": str(identity(link.netns)), "card": host.device, "root": root,
        "ingress": ingress, "through": device,
    }  # fmt: skip
    return Snapshot(KernelNetem.name, settings)


def _queues(card: str) -> Tuple[str, str, str]:
    with Queues() as net:
        found = net.qdiscs(card)
        device = through(card) if net.device(through(card)) else ""
    names = {q.parent: f"{q.kind} {q.handle >> 16:x}:" for q in found}
    return names.get(ROOT, ""), "" if device else names.get(INGRESS, ""), device


def _host(link: Link) -> Host:
    host = host_at(link.netns, link.address)
    if host is None:
        raise TargetGone(f"{link.target}: its network is gone")
    return host


def _check(link: Link, snapshot: Snapshot, effects: Sequence[InForce]) -> None:
    if str(identity(link.netns)) != snapshot.settings["netns"]:
        raise TargetGone(f"{link.target}: its network is gone")
    if why := refusal([profile_of(effect) for effect in effects]):
        raise Failed(f"{link.target}: {why}")
    if len(effects) > MOST:
        raise Failed(f"{link.target}: netem holds {MOST} overlapping effects at most")


def _not_free(link: Link) -> str:
    """A card of a cable of ours is the wire's; one with somebody's queues is left alone."""
    if link.port:
        return "its cable is ours: the wire is nearer"
    try:
        found = _look(link).settings
    except (OSError, TargetGone) as error:
        return f"its card cannot be looked at: {error}"
    kept = [found[key] for key in ("root", "ingress") if found[key]]
    foreign = [name for name in kept if not name.endswith((" 0:", f" {OURS >> 16:x}:"))]
    return f"{found['card']} has queues of somebody else ({', '.join(foreign)})" if foreign else ""


def _refusal() -> str:
    return tried_apart(_try, "the kernel's queues do not work: {}")


def _try() -> None:
    with Queues() as net:
        net.add_prio("lo", OURS)
        net.add_netem("lo", OURS + 0x10000, OURS | 2, Netem(), 0)
        net.place("lo", OURS, 1, ((0, 0, 0),), OURS | 2)
        net.add_ifb("hx~lo")
