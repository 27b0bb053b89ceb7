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
from typing import Sequence, Tuple

from harness.agent.effects import Effect, InForce, Link, LinkProfile, Snapshot
from harness.agent.protocol import Failed
from harness.mechanisms import pods
from harness.mechanisms.by_card import ByCard
from harness.mechanisms.hosts import host_at
from harness.mechanisms.namespaces import Once, inside, tried_apart
from harness.mechanisms.netfilter_queue import Queue
from harness.mechanisms.nft import tables
from harness.mechanisms.nft_catch import Catch
from harness.mechanisms.queue_relay import PREFIX


class NfQueue(ByCard):
    """The mechanism of `Link` where no program can be attached and no tap made."""

    name = "nfqueue"
    module = "queue_relay"
    things = "tables"
    above = True

    def __init__(self) -> None:
        super().__init__()
        self._refusal = Once(_refusal)

    def _refused(self, effects: Tuple[Effect, ...]) -> str:
        asked = [effect for effect in effects if isinstance(effect, LinkProfile)]
        return self._refusal() or refusal(asked)

    def _unfit(self, link: Link) -> str:
        return "" if host_at(link.netns, link.address) else "no network card with an address"

    def _check(self, link: Link, snapshot: Snapshot, effects: Tuple[InForce, ...]) -> None:
        super()._check(link, snapshot, effects)
        if why := refusal([e.effect for e in effects if isinstance(e.effect, LinkProfile)]):
            raise Failed(f"{link.target}: {why}")

    def _found(self, link: Link) -> Tuple[str, ...]:
        return tuple(sorted(t for t in inside(link.netns, tables) if _pid_of(t)))

    def _pid_of(self, thing: str) -> int:
        return _pid_of(thing)


def refusal(effects: Sequence[LinkProfile]) -> str:
    """Why these cannot be made true in this way, or nothing."""
    if any(profile.cut == "reject" for profile in effects):
        return "NFQUEUE cannot tell the sender of a packet"
    if any(profile.duplicate and profile.direction != "forth" for profile in effects):
        return "NFQUEUE cannot double what comes in"
    return ""


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
