"""What is done to a target, and what is seen of it, as plain data.

The vocabulary that faults, the run, the agent and its mechanisms share. Standard library only and
Python 3.9, because it travels into containers with the agent. `encode` and `decode` carry any of
these values over the agent's pipe and into the journal.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from typing import Any, ClassVar, Dict, Tuple, Type, Union

#: Source ports of our own probes: never used by ordinary clients, so that mechanisms can tell
#: a probe from the application's traffic and leave it out of `exercised`.
PROBE_PORTS = range(640, 768)
#: The same where an ordinary user has no right to those: below the ports that the kernel gives out.
ORDINARY_PROBE_PORTS = range(14000, 15000)


def is_probe(port: int) -> bool:
    """What comes from that port is a probe of ours."""
    return port in PROBE_PORTS or port in ORDINARY_PROBE_PORTS


@dataclass(frozen=True)
class Curve:
    """A number over time: `points` are (seconds since the inject, value), the first at 0.

    Before the first and after the last point the nearest value holds. `smooth` joins points by
    straight lines; otherwise each value holds until the next point. With `every` the points begin
    anew each time so many seconds have passed.
    """

    points: Tuple[Tuple[float, float], ...]
    smooth: bool = True
    every: float = 0.0

    @classmethod
    def constant(cls, value: float) -> Curve:
        return cls(((0.0, value),))

    @property
    def is_constant(self) -> bool:
        return all(value == self.points[0][1] for _, value in self.points)

    @property
    def peak(self) -> float:
        return max(value for _, value in self.points)

    def at(self, t_s: float) -> float:
        if self.every and t_s > 0:
            t_s %= self.every
        before = self.points[0]
        for point in self.points:
            if point[0] > t_s:
                return self._between(before, point, t_s) if t_s > before[0] else before[1]
            before = point
        return before[1]

    def _between(self, a: Tuple[float, float], b: Tuple[float, float], t_s: float) -> float:
        if not self.smooth:
            return a[1]
        return a[1] + (b[1] - a[1]) * (t_s - a[0]) / (b[0] - a[0])

    def mean(self, begin_s: float, end_s: float, steps: int = 50) -> float:
        """The average over a span (midpoint rule), for comparison with a probe's interval."""
        if self.is_constant or end_s <= begin_s:
            return self.at(begin_s)
        width = (end_s - begin_s) / steps
        return sum(self.at(begin_s + (i + 0.5) * width) for i in range(steps)) / steps


# ---------------------------------------------------------------- resources: what can be changed


@dataclass(frozen=True)
class Link:
    """The network of one host: what it sends and what it is sent.

    `netns` is a path of its network namespace, `port` the other end of its cable where there is
    one (a bridge port in a local world), `address` its IPv4 address.
    """

    target: str
    netns: str
    port: str
    address: str
    mac: str = ""


@dataclass(frozen=True)
class Processes:
    """The processes of one replica: all in its network namespace, of its `pod` (a uid) or of one
    `container` of it (an id), or one `pid` with its `start`.

    `start` is field 22 of /proc/PID/stat (clock ticks since boot): pid and start together are an
    identity that a reused pid does not share. `ports` are those that it serves. `keeper` is a file
    of the world's directory (`mechanisms.place`) where neither can be told beforehand.
    """

    target: str
    netns: str = ""
    pid: int = 0
    start: int = 0
    ports: Tuple[int, ...] = ()
    pod: str = ""
    keeper: str = ""
    container: str = ""


@dataclass(frozen=True)
class Edge:
    """The TCP connections from one host to one dependency."""

    target: str
    netns: str
    upstreams: Tuple[str, ...]
    port: int


@dataclass(frozen=True)
class ProxiedEdge:
    """The same where a proxy stands on it from the beginning; `control` is where that is told, a
    socket of the world's directory (`mechanisms.place`)."""

    target: str
    control: str


@dataclass(frozen=True)
class ToxiproxyEdge:
    """The TCP connections to one dependency, which run through a Toxiproxy: callers find it at
    `listen`, it connects to `upstream`, its API is at the URL `server`. `probe` is what a witness
    may say to the dependency again and again, `greeting` what has to be said before, once on each
    connection; `callers` are all that are known to use it."""

    target: str
    server: str
    listen: str
    upstream: str
    probe: str
    callers: Tuple[str, ...] = ()
    greeting: str = ""


@dataclass(frozen=True)
class Unit:
    """A replica as its substrate keeps it: started, stopped, restarted."""

    target: str


@dataclass(frozen=True)
class Pod:
    """A pod as its API server knows it: `target` is pod/NAMESPACE/NAME, `uid` this very one."""

    target: str
    uid: str


@dataclass(frozen=True)
class Workload:
    """What keeps pods: `target` is KIND/NAMESPACE/NAME, `service` what the system calls it."""

    target: str
    service: str


@dataclass(frozen=True)
class Node:
    """A machine of a cluster: `target` is node/NAME."""

    target: str


Resource = Union[Link, Processes, Edge, ProxiedEdge, ToxiproxyEdge, Unit, Pod, Workload, Node]


# ---------------------------------------------------------------- effects: what is made true


@dataclass(frozen=True)
class LinkProfile:
    """Packets that match are treated so, on their way from the host (`forth`), to it (`back`).

    `peers` are IPv4 addresses (none: everybody), `ports` match either end (none: all), `protocol`
    is tcp, udp, icmp or empty for all. Delay and hold in seconds, shares from 0 to 1, rate in bits
    per second. `cut` is empty, drop (silence) or reject (the sender is told).
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
    names, in Toxiproxy's units (milliseconds, KB/s, bytes). Kind `down`: nothing listens."""

    kind: str
    stream: str = "downstream"
    share: float = 1.0
    numbers: Tuple[Tuple[str, Curve], ...] = ()


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


# ---------------------------------------------------------------- what is seen


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
    """How much of the system's own traffic met an effect."""

    count: float
    unit: str


@dataclass(frozen=True)
class Snapshot:
    """The settings of a resource before anything was done: keys that its mechanism may write.

    `mark` is a word of this snapshot's own, for mechanisms that tell by name what they made from
    what others did: it is in the journal before the first of those names is anywhere."""

    mechanism: str
    settings: Dict[str, str] = field(default_factory=dict)
    mark: str = ""


# ---------------------------------------------------------------- the codec

_TYPES: Dict[str, Type[Any]] = {
    cls.__name__: cls
    for cls in (
        Curve, Link, Processes, Edge, ProxiedEdge, ToxiproxyEdge, Unit, LinkProfile, Stopped,
        Intercept, Toxic, Kill, Restart, InForce, Flow, LinkSeen, Process, ProcessesSeen, Transfer,
        EdgeSeen, Exercised, Snapshot,
        Pod, Workload, Node, Replicas, Image, Cordoned, PoweredOff, DeletePod, KillContainer,
        PodState, PlatformSeen,
    )
}  # fmt: skip


class Undecodable(ValueError):
    """Data that names no type of this module, or fields that the type does not have."""

    code: ClassVar[str] = "HX701"


def encode(value: Any) -> Any:
    """Plain JSON data: a dataclass becomes its fields plus `type`; tuples become lists."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = {f.name: encode(getattr(value, f.name)) for f in dataclasses.fields(value)}
        return {"type": type(value).__name__, **fields}
    if isinstance(value, (list, tuple)):
        return [encode(item) for item in value]
    if isinstance(value, dict):
        return {key: encode(item) for key, item in value.items()}
    return value


def decode(data: Any) -> Any:
    """The inverse of `encode`. Raises `Undecodable`."""
    if isinstance(data, list):
        return tuple(decode(item) for item in data)
    if not isinstance(data, dict):
        return data
    if "type" not in data:
        return {key: decode(item) for key, item in data.items()}
    cls = _TYPES.get(data["type"])
    if cls is None:
        raise Undecodable(f"no type {data['type']!r}")
    try:
        return cls(**{key: decode(item) for key, item in data.items() if key != "type"})
    except TypeError as error:
        raise Undecodable(str(error)) from None
