"""What mechanisms of `Link` have in common whose relay stands at the host's own card.

What a relay puts there is named after its process: so whatever a dead one left is found and ended,
by a fresh process too, and foreign things of the same kind are left alone.
"""

from __future__ import annotations

from typing import Optional, Tuple

from harness.agent.effects import Effect, InForce, Link, Snapshot
from harness.agent.nursery import nursery
from harness.agent.protocol import TargetGone
from harness.mechanisms.by_relay import ByRelay, Holding
from harness.mechanisms.hosts import Host, host_at
from harness.mechanisms.namespaces import identity
from harness.mechanisms.relay_process import RelayProcess
from harness.mechanisms.strays import sweep


class ByCard(ByRelay):
    """`module` is the relay's; `things` is what it puts there, and their key in the snapshot."""

    module = ""
    things = ""

    def works(self, link: Optional[Link] = None, effects: Tuple[Effect, ...] = ()) -> str:
        if (found := self._refused(effects)) or link is None:
            return found
        nursery()  # it is warm by the time that something is made
        return self._unfit(link)

    def _look(self, link: Link) -> Snapshot:
        """Which things of ours are there."""
        host = _host(link)
        settings = {
            "netns": str(identity(link.netns)),
            "card": host.device,
            self.things: " ".join(self._found(link)),
        }
        return Snapshot(self.name, settings)

    def _check(self, link: Link, snapshot: Snapshot, effects: Tuple[InForce, ...]) -> None:
        if str(identity(link.netns)) != snapshot.settings["netns"]:
            raise TargetGone(f"{link.target}: its network is gone")

    def _put_in(
        self, link: Link, holding: Holding, snapshot: Snapshot, effects: Tuple[InForce, ...]
    ) -> None:
        host = _host(link)
        holding.relay = RelayProcess(self.module, link.netns, host.device, mac=host.mac)
        holding.tell(effects)

    def _take_out(self, link: Link, holding: Holding, snapshot: Snapshot) -> None:
        relay = holding.let_go()
        if relay is not None:
            relay.end()
        holding.forget()
        if str(identity(link.netns)) == snapshot.settings.get("netns"):
            foreign = frozenset(snapshot.settings[self.things].split())
            sweep(link.target, lambda: self._found(link), foreign, self._pid_of, self.module)

    # ------------------------------------------------------------ the mechanism's own

    def _refused(self, effects: Tuple[Effect, ...]) -> str:
        """Why it does not work on this machine, or not for these, or nothing."""
        raise NotImplementedError

    def _unfit(self, link: Link) -> str:
        """Why not on this link, or nothing."""
        raise NotImplementedError

    def _found(self, link: Link) -> Tuple[str, ...]:
        """The names of what relays have put there, in their order."""
        raise NotImplementedError

    def _pid_of(self, thing: str) -> int:
        """The relay that it belongs to, 0 when it is nothing of ours."""
        raise NotImplementedError


def _host(link: Link) -> Host:
    host = host_at(link.netns, link.address)
    if host is None:
        raise TargetGone(f"{link.target}: its network is gone")
    return host
