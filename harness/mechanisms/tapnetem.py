"""Link faults in user space beside a card that is not ours: a pod's, a container's.

Programs on the card hand its packets to a relay by two taps, and send on what the relay lets
through; without effects nothing is left of either. All of it belongs to the relay's process and
ends with it, at once and by the kernel. Needs root (CAP_BPF, CAP_NET_ADMIN, CAP_SYS_ADMIN) and
Linux 6.6, and nothing of the traffic-control modules. Caveat: a packet that is caught costs some
10 microseconds; packets of other peers, and all that is not IPv4, are not touched.
"""

from __future__ import annotations

from pathlib import Path
from typing import Tuple

from harness.agent.effects import Effect, Link
from harness.mechanisms.bpf import INGRESS, Attached, passing
from harness.mechanisms.by_card import ByCard
from harness.mechanisms.hosts import host_at
from harness.mechanisms.namespaces import Once, inside, tried_apart
from harness.mechanisms.netlink import Netlink
from harness.mechanisms.tap import DEVICE, Tap
from harness.mechanisms.tap_relay import PREFIX


class TapNetem(ByCard):
    """The mechanism of `Link` where the card is somebody else's and the kernel has no netem."""

    name = "tapnetem"
    module = "tap_relay"
    things = "taps"

    def __init__(self) -> None:
        super().__init__()
        self._refusal = Once(_refusal)

    def _refused(self, effects: Tuple[Effect, ...]) -> str:
        return self._refusal()

    def _unfit(self, link: Link) -> str:
        return _not_a_card(link)

    def _found(self, link: Link) -> Tuple[str, ...]:
        return inside(link.netns, _taps)

    def _pid_of(self, thing: str) -> int:
        return _pid_of(thing)


# ---------------------------------------------------------------- beside the card


def _taps() -> Tuple[str, ...]:
    with Netlink() as net:
        names = sorted(device.name for device in net.devices())
    return tuple(name for name in names if _pid_of(name))


def _pid_of(tap: str) -> int:
    """The relay that a tap belongs to, 0 when it is no tap of ours."""
    number = tap[len(PREFIX) : -1]
    ours = tap.startswith(PREFIX) and tap[-1:] in "fb" and number.isdigit()
    return int(number) if ours else 0


# ---------------------------------------------------------------- does it work here


def _refusal() -> str:
    if not Path(DEVICE).exists():
        return f"there is no {DEVICE}"
    return tried_apart(_try, "{} (it needs root with CAP_BPF and Linux 6.6)")


def _try() -> None:
    Tap(f"{PREFIX}0f").close()
    with Netlink() as net:
        Attached(passing(), net.index("lo"), INGRESS).close()


def _not_a_card(link: Link) -> str:
    try:
        host = host_at(link.netns, link.address)
    except OSError as error:
        return f"its network cannot be entered: {error}"
    if host is None:
        return "no network card with an address"
    return "" if len(host.mac) == 6 else f"{host.device} is no Ethernet card"
