"""Resources: what of a target can be changed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Tuple, Union

from harness.agent.effects.spared import Spared


@dataclass(frozen=True)
class Link:
    """The network of one host: what it sends and what it is sent.

    `netns` is a path of its network namespace, `port` the other end of its cable where there is
    one (a bridge port in a local world), `address` its IPv4 address. `spared` is what faults may
    leave alone there.
    """

    target: str
    netns: str
    port: str
    address: str
    mac: str = ""
    spared: Tuple[Spared, ...] = ()


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
