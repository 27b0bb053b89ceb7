"""Link faults in user space: while a link has effects, a relay stands between it and the bridge.

The host's port is shut and the relay's stub is opened in its place; changed effects are told to
the relay that runs; without effects the relay lets go of what it holds and the port is opened
again. Needs no privilege and no kernel module. Caveat: in Python a packet costs some microseconds,
so a link under a fault carries about 100,000 a second at most.
"""

from __future__ import annotations

import contextlib
import socket
import threading
from pathlib import Path
from typing import Optional, Tuple

from harness.agent.effects import Effect, InForce, Link, Snapshot
from harness.agent.nursery import nursery
from harness.agent.protocol import Failed, TargetGone
from harness.mechanisms.bridge import OPEN, SHUT, Bridge
from harness.mechanisms.by_relay import ByRelay, Holding
from harness.mechanisms.hosts import host_at
from harness.mechanisms.namespaces import offloads_off
from harness.mechanisms.relay_process import RelayProcess


class Wire(ByRelay):
    """The mechanism of `Link` where we own the bridge."""

    name = "wire"

    def works(self, link: Optional[Link] = None, effects: Tuple[Effect, ...] = ()) -> str:
        if link is not None and not link.port:
            return "no cable of ours"
        try:
            socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0).close()
        except OSError as error:
            return f"no packet sockets: {error.strerror}"
        if link is not None:
            nursery()  # it is warm by the time that something is made
        return ""

    def _look(self, link: Link) -> Snapshot:
        """How the port is."""
        if not link.port:
            raise Failed(f"{link.target} has no port of a bridge of ours")
        with Bridge() as net:
            if net.device(link.port) is None:
                raise TargetGone(f"{link.target}: its port {link.port} is gone")
            stub = stubs(link)[0]
            settings = {
                "master": net.master(link.port), "state": str(net.state(link.port)),
                "stub": stub if net.device(stub) else "",
            }  # fmt: skip
        return Snapshot(self.name, settings)

    def _put_in(
        self, link: Link, holding: Holding, snapshot: Snapshot, effects: Tuple[InForce, ...]
    ) -> None:
        with Bridge() as net:
            if net.device(link.port) is None:
                raise TargetGone(f"{link.target}: its port {link.port} is gone")
            host = host_at(link.netns)
            if host is None:
                raise TargetGone(f"{link.target}: its network is gone")
            stub, inner = stubs(link)
            if net.device(stub) is not None:
                net.delete(stub)  # of a make that was killed halfway
            add_stub(net, stub, inner, snapshot.settings["master"])
            relay = holding.relay = RelayProcess("wire_relay", link.port, inner, mac=host.mac)
            holding.tell(effects)
            both = net.swap(opens=stub, shuts=link.port)
            relay.tell({"forget_before": both})
        watch = threading.Thread(target=_watch, args=(link, holding, relay), daemon=True)
        watch.start()

    def _take_out(self, link: Link, holding: Holding, snapshot: Snapshot) -> None:
        """The port first, then the relay: whatever state either is in."""
        relay = holding.let_go()
        if relay is not None and relay.alive:
            with contextlib.suppress(Failed, OSError):
                hand_over(link, relay, snapshot)
        put_back(link, snapshot)
        holding.forget()
        if relay is not None:
            relay.end()


def _watch(link: Link, holding: Holding, relay: RelayProcess) -> None:
    """A relay that died on its own leaves the host cut off: put the port back at once.

    The effects are then not true any more, which the witness sees.
    """
    relay.wait()
    with holding.lock:
        if holding.relay is relay and holding.snapshot is not None:
            with contextlib.suppress(OSError, Failed):  # it is taken back once more at the end
                put_back(link, holding.snapshot)


# ---------------------------------------------------------------- the bridge


def stubs(link: Link) -> Tuple[str, str]:
    """Both ends of the cable between the bridge and the relay, named after the port."""
    return f"{link.port[-13:]}~b", f"{link.port[-13:]}~r"


def add_stub(net: Bridge, stub: str, inner: str, master: str) -> None:
    """A port for the relay, shut; `inner` is the relay's end."""
    net.add_veth(stub, inner)
    offloads_off(inner)
    for device in (stub, inner):
        quiet = Path(f"/proc/sys/net/ipv6/conf/{device}/disable_ipv6")
        with contextlib.suppress(OSError):  # or it greets its neighbours once, in IPv6
            quiet.write_text("1")
    net.quiet(inner)
    net.set_master(stub, master)
    net.up(stub)
    net.up(inner)
    for device in (stub, inner):
        net.wait_until_it_carries(device)
    net.set_state(stub, SHUT)


def hand_over(link: Link, relay: RelayProcess, snapshot: Snapshot) -> None:
    """From the relay to the port, so that every frame on its way finds one of the two."""
    with Bridge() as net:
        net.set_state(link.port, int(snapshot.settings["state"]))
        relay.tell({"close": "forth"})
        net.set_state(stubs(link)[0], SHUT)
        relay.tell({"close": "back"})


def put_back(link: Link, snapshot: Snapshot) -> None:
    """Open the port, take the stub away. Does nothing that is done already."""
    state = int(snapshot.settings.get("state", OPEN))
    stub = stubs(link)[0]
    with Bridge() as net:
        left, port = net.device(stub) is not None, net.device(link.port) is not None
        if left and port:
            net.swap(opens=link.port, shuts=stub, state=state)
        elif port and net.state(link.port) != state:
            net.set_state(link.port, state)
        if left:
            net.delete(stub)
