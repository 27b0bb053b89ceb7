"""What is to be known of the proxies of a system before a run: are they there, whose are they?

The package that talks to them is an extra, asked for only where a system has such a service.
"""

from __future__ import annotations

from contextlib import suppress
from importlib.util import find_spec

from harness.agent.effects import ToxiproxyEdge
from harness.agent.protocol import Failed
from harness.experiment.system_model import System
from harness.substrates.attached.identity import is_served
from harness.substrates.attached.proxies import LOOPBACK, ours
from harness.substrates.substrate import Topology


def refuse(system: System, topology: Topology) -> str:
    """Why its dependencies cannot be reached by way of their proxies, or nothing."""
    for service in ours(system):
        host, _, port = service.proxy.rpartition(":")
        if host not in LOOPBACK:
            return f"{service.name}: a proxy of ours listens on 127.0.0.1 alone, not on {host}"
        if is_served(int(port)):
            return (
                f"{service.name}: something else listens at {service.proxy}, where a proxy of ours "
                "is to stand; if it is a Toxiproxy, name its URL: toxiproxy"
            )
    found = _all(topology)
    for url in dict.fromkeys(edge.server for edge in found):
        if why := unusable(url):
            target = next(edge.target for edge in found if edge.server == url)
            return f"{target}: {why}"
    return next(filter(None, map(_elsewhere, found)), "")


def unusable(url: str) -> str:
    """Why there is no Toxiproxy at this URL that can be used, or nothing."""
    if find_spec("toxiproxy") is None:
        extra = 'pip install "reliability-harness[toxiproxy]"'
        return f"a Toxiproxy needs the package toxiproxy-python: {extra}"
    from harness.substrates.attached.toxiproxy_api import Server

    try:
        Server(url).version()
    except Failed as error:
        return str(error)
    return ""


def foreign(topology: Topology) -> tuple[str, ...]:
    """What others have on these proxies: it is left alone, and told."""
    if not _all(topology):
        return ()
    from harness.substrates.attached.toxiproxy import foreign_toxics, server_of

    told: list[str] = []
    for edge in _all(topology):
        with suppress(Failed):  # the run will say so
            names = foreign_toxics(server_of(edge), edge)
            told += [f"{edge.target}: toxic {name} is not ours, and left alone" for name in names]
    return tuple(told)


def _all(topology: Topology) -> tuple[ToxiproxyEdge, ...]:
    behind = (replica.behind for replica in topology.replicas)
    return tuple(edge for edge in behind if isinstance(edge, ToxiproxyEdge))


def _elsewhere(edge: ToxiproxyEdge) -> str:
    from harness.substrates.attached.toxiproxy import proxy_at, server_of

    try:
        there = proxy_at(server_of(edge), edge)
    except Failed as error:
        return f"{edge.target}: {error}"
    host, _, port = edge.listen.rpartition(":")
    if there is None and host in LOOPBACK and is_served(int(port)):
        return (
            f"{edge.target}: something else listens at {edge.listen}, the Toxiproxy at "
            f"{edge.server} has no proxy there"
        )
    return ""
