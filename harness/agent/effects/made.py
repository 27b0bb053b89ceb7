"""Effects, which are held, and acts, which happen once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Tuple, Union

from harness.agent.effects.curve import Curve
from harness.agent.effects.spared import Spared


@dataclass(frozen=True)
class LinkProfile:
    """Packets that match are treated so, on their way from the host (`forth`), to it (`back`).

    `peers` are IPv4 addresses (none: everybody), `ports` match either end (none: all), `protocol`
    is tcp, udp, icmp or empty for all. Delay and hold in seconds, shares from 0 to 1, rate in bits
    per second. `cut` is empty, drop (silence) or reject (the sender is told). Which packets a share
    meets is drawn from `seed` and the effect's id. What is `spared` is left alone.
    """

    direction: str = "forth"
    peers: Tuple[str, ...] = ()
    ports: Tuple[int, ...] = ()
    protocol: str = ""
    delay: Union[Curve, None] = None
    jitter: float = 0.0
    loss: Union[Curve, None] = None
    duplicate: Union[Curve, None] = None
    reorder: Union[Curve, None] = None
    hold: float = 0.0
    corrupt: Union[Curve, None] = None
    rate: Union[Curve, None] = None
    cut: str = ""
    seed: int = 0
    spared: Tuple[Spared, ...] = ()


@dataclass(frozen=True)
class Stopped:
    """Every process of the target is stopped (SIGSTOP), newcomers too."""


@dataclass(frozen=True)
class Intercept:
    """The edge runs through our proxy, which does nothing yet. Made in prepare, for all toxics."""


@dataclass(frozen=True)
class Toxic:
    """A Toxiproxy toxic on the edge: `kind`, `stream` (upstream: towards the dependency, or
    downstream: towards the caller), `share` of the connections, and its numbers by Toxiproxy's
    names, in Toxiproxy's units (milliseconds, KB/s, bytes). Kind `down`: nothing listens. Which
    connections a share meets is drawn from `seed` and the effect's id, by our own proxy."""

    kind: str
    stream: str = "downstream"
    share: float = 1.0
    numbers: Tuple[Tuple[str, Curve], ...] = ()
    seed: int = 0


@dataclass(frozen=True)
class Replicas:
    """The workload is asked for so many pods."""

    count: int


@dataclass(frozen=True)
class Image:
    """The workload is rolled out with this image; `container` empty: its first."""

    image: str
    container: str = ""


@dataclass(frozen=True)
class Cordoned:
    """Nothing new is scheduled on the node; `drained`: and the system's pods were evicted, with
    `grace` seconds to end (below 0: what each pod says)."""

    drained: bool = False
    grace: float = -1.0


@dataclass(frozen=True)
class PoweredOff:
    """The node has no power."""


Effect = Union[
    LinkProfile, Stopped, Intercept, Toxic, Replicas, Image, Cordoned, PoweredOff
]  # fmt: skip


@dataclass(frozen=True)
class Kill:
    """Signal `signal` (KILL, TERM) to every process of the target, once."""

    signal: str = "KILL"


@dataclass(frozen=True)
class Restart:
    """Stop (TERM, after `grace` seconds KILL) and start again, once."""

    grace: float = 5.0


@dataclass(frozen=True)
class DeletePod:
    """Delete the pod, once; `grace` seconds to end (below 0: what the pod says)."""

    grace: float = -1.0


@dataclass(frozen=True)
class KillContainer:
    """Signal every process of one container, once; `container` empty: the pod's first."""

    container: str = ""
    signal: str = "KILL"


Act = Union[Kill, Restart, DeletePod, KillContainer]


@dataclass(frozen=True)
class InForce:
    """An effect in force on a resource. `since` is its inject on the monotonic clock in seconds:
    curves count from there."""

    id: str
    effect: Effect
    since: float

    @property
    def draws(self) -> str:
        """What seeds the random choices of this effect."""
        return f"{getattr(self.effect, 'seed', 0)} {self.id}"
