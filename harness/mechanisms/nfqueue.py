"""Link faults in user space by queues of netfilter: for a card that nothing else can be put on.

Rules of our own hand packets to a relay, which sends on what it lets through. It needs
CAP_NET_ADMIN and CAP_NET_RAW in the host's network and nothing else: no device, no program in the
kernel, no other namespace. Rules, queues and relay end with one another. Caveat: a packet costs
some 50 microseconds; what comes in cannot be doubled, no sender is told of a cut, what is not IPv4
is not touched, and traffic that ends below netfilter (packet sockets) is not met. The witness
stands above netfilter, so where a fault names no peers it asks the next hops alone.
"""

from __future__ import annotations

import contextlib
import os
from typing import Optional, Sequence, Tuple

from harness.agent.effects import Effect, InForce, Link, LinkProfile, Snapshot
from harness.agent.nursery import nursery
from harness.agent.protocol import Failed, TargetGone
from harness.mechanisms import pods
from harness.mechanisms.by_relay import ByRelay, Holding
from harness.mechanisms.hosts import Host, host_at
from harness.mechanisms.namespaces import Once, identity, inside, tried_apart
from harness.mechanisms.netfilter_queue import Queue
from harness.mechanisms.nft import tables
from harness.mechanisms.nft_catch import Catch
from harness.mechanisms.queue_relay import PREFIX
from harness.mechanisms.relay_process import RelayProcess
from harness.mechanisms.strays import sweep


class NfQueue(ByRelay):
    """The mechanism of `Link` where no program can be attached and no tap made."""

    name = "nfqueue"
    above = True

    def __init__(self) -> None:
        super().__init__()
        self._refusal = Once(_refusal)

    def works(self, link: Optional[Link] = None, effects: Tuple[Effect, ...] = ()) -> str:
        asked = [effect for effect in effects if isinstance(effect, LinkProfile)]
        if found := self._refusal() or refusal(asked):
            return found
        if link is None:
            return ""
        nursery()  # it is warm by the time that something is made
        return "" if host_at(link.netns, link.address) else "no network card with an address"

    def _look(self, link: Link) -> Snapshot:
        """Which tables of ours are there."""
        host = _host(link)
        settings = {
            "netns": str(identity(link.netns)), "card": host.device,
            "tables": " ".join(_tables_at(link)),
        }  # fmt: skip
        return Snapshot(self.name, settings)

    def _check(self, link: Link, snapshot: Snapshot, effects: Tuple[InForce, ...]) -> None:
        if str(identity(link.netns)) != snapshot.settings["netns"]:
            raise TargetGone(f"{link.target}: its network is gone")
        if why := refusal([e.effect for e in effects if isinstance(e.effect, LinkProfile)]):
            raise Failed(f"{link.target}: {why}")

    def _put_in(
        self, link: Link, holding: Holding, snapshot: Snapshot, effects: Tuple[InForce, ...]
    ) -> None:
        host = _host(link)
        holding.relay = RelayProcess("queue_relay", link.netns, host.device, mac=host.mac)
        holding.tell(effects)

    def _take_out(self, link: Link, holding: Holding, snapshot: Snapshot) -> None:
        relay = holding.let_go()
        if relay is not None:
            relay.end()
        holding.forget()
        if str(identity(link.netns)) == snapshot.settings.get("netns"):
            foreign = frozenset(snapshot.settings["tables"].split())
            sweep(link.target, lambda: _tables_at(link), foreign, _pid_of, "queue_relay")


def refusal(effects: Sequence[LinkProfile]) -> str:
    """Why these cannot be made true in this way, or nothing."""
    if any(profile.cut == "reject" for profile in effects):
        return "NFQUEUE cannot tell the sender of a packet"
    if any(profile.duplicate and profile.direction != "forth" for profile in effects):
        return "NFQUEUE cannot double what comes in"
    return ""


def _host(link: Link) -> Host:
    host = host_at(link.netns, link.address)
    if host is None:
        raise TargetGone(f"{link.target}: its network is gone")
    return host


def _tables_at(link: Link) -> Tuple[str, ...]:
    return tuple(sorted(t for t in inside(link.netns, tables) if _pid_of(t)))


def _pid_of(table: str) -> int:
    """The relay that a table belongs to, 0 when it is no table of ours."""
    number = table[len(PREFIX) :]
    return int(number) if table.startswith(PREFIX) and number.isdigit() else 0


def _refusal() -> str:
    """Tried where it does no harm; in a pod's own container there is no such place, and a rule for
    a queue that nobody has opened does none."""
    says = "{} (it needs CAP_NET_ADMIN and NFQUEUE)"
    if not pods.inside:
        return tried_apart(_try, says)
    try:
        _try()
    except OSError as error:
        return says.format(error.strerror or error)
    return ""


def _try() -> None:
    with contextlib.closing(Catch(f"{PREFIX}{os.getpid()}", "lo")) as catch:
        Queue(1).close()
        catch.hand_over(True, None, 1)
