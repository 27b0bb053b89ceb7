"""What is seen of a target: by witnesses, by its own traffic, and before anything was done."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Dict, Tuple, Union


@dataclass(frozen=True)
class Flow:
    """Probes one way (or there and back). `delays` in seconds of those that arrived, first copies
    only. Rates in bits per second; 0 where not measured. `refused`: answered with RST or ICMP."""

    sent: int
    received: int
    delays: Tuple[float, ...] = ()
    duplicates: int = 0
    reordered: int = 0
    corrupted: int = 0
    refused: int = 0
    bits_per_s: float = 0.0


@dataclass(frozen=True)
class LinkSeen:
    """One probe interval (monotonic seconds) on a link, each direction where it can be seen.

    `peers` are the addresses at the other end of the probes; `outside`: in their name, but only
    at the far end of the host's own cable, so that nothing on their links was on the way."""

    begin: float
    end: float
    peers: Tuple[str, ...] = ()
    forth: Union[Flow, None] = None
    back: Union[Flow, None] = None
    round_trip: Union[Flow, None] = None
    outside: bool = False


@dataclass(frozen=True)
class Process:
    """`state` is the letter of /proc/PID/stat (R, S, D, T, Z …)."""

    pid: int
    start: int
    state: str
    command: str = ""


@dataclass(frozen=True)
class ProcessesSeen:
    """The processes of a target now, and which of those known before are gone."""

    begin: float
    end: float
    alive: Tuple[Process, ...] = ()
    gone: Tuple[Process, ...] = ()
    ready: bool = True


@dataclass(frozen=True)
class Transfer:
    """One connection of our own, begun `at` (monotonic seconds), and what came back over it:
    `round_trip` seconds from the question to the first of it, `took` from there to the last of
    `bytes`, in so many `pieces` (what comes within half a millisecond is one); `closing` seconds
    from our end of the connection to theirs."""

    at: float
    outcome: str
    round_trip: float = 0.0
    bytes: int = 0
    pieces: int = 0
    took: float = 0.0
    closing: float = 0.0


@dataclass(frozen=True)
class EdgeSeen:
    """Connections of our own along the edge: a new one each interval, and one that is open since
    prepare. `outcome` is ok, refused, reset, timeout, closed, or bypassed: it did not come through
    the proxy. Round trips in seconds. `more` are outcome and round trip of further new ones.
    `new` are the transfers of all new ones, the first first, `old` that of the open one."""

    begin: float
    end: float
    outcome: str
    round_trip: float = 0.0
    old_outcome: str = ""
    old_round_trip: float = 0.0
    more: Tuple[Tuple[str, float], ...] = ()
    new: Tuple[Transfer, ...] = ()
    old: Union[Transfer, None] = None


@dataclass(frozen=True)
class PodState:
    """A pod as the API server tells it; `image` and `restarts` of the container that is meant."""

    name: str
    uid: str
    ready: bool
    leaving: bool
    waiting: str = ""
    image: str = ""
    restarts: int = 0


@dataclass(frozen=True)
class PlatformSeen:
    """What a cluster says of a pod (and its siblings), a workload (and its pods) or a node (and
    the system's pods on it). `replicas` are those asked for; `answers`: the node can be reached
    from outside, which its API server does not know."""

    begin: float
    end: float
    pods: Tuple[PodState, ...] = ()
    replicas: int = 0
    cordoned: bool = False
    answers: bool = True


Seen = Union[LinkSeen, ProcessesSeen, EdgeSeen, PlatformSeen]


@dataclass(frozen=True)
class Exercised:
    """How much of the system's own traffic met an effect. `unknown`: why that cannot be told; the
    count is then of what the effect is about, and none of those means that nobody met it."""

    count: float
    unit: str
    unknown: str = ""


@dataclass(frozen=True)
class Snapshot:
    """The settings of a resource before anything was done: keys that its mechanism may write.

    `mark` is a word of this snapshot's own, for mechanisms that tell by name what they made from
    what others did: it is in the journal before the first of those names is anywhere."""

    mechanism: str
    settings: Dict[str, str] = field(default_factory=dict)
    mark: str = ""
