"""Who is where in a local world: hosts, addresses, names and commands, purely from the System file.

Host 1 is `client`, where the load lives; then the replicas in the order of the file. Zones go round
robin over the replicas of a service.
"""

from __future__ import annotations

import os
import re
import shlex
import sys
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

from harness.errors import Refused
from harness.experiment.system_model import Service, System
from harness.substrates.local.spec import DATA, HOME, Command, Host
from harness.substrates.substrate import Replica, Topology

CLIENT = "client"
_REFERENCE = re.compile(r"\$\(([^()]*)\)")


def hosts_of(system: System) -> tuple[Host, ...]:
    names = [CLIENT, *(name for service in system.services for name in replica_names(service))]
    return tuple(Host(name, number) for number, name in enumerate(names, 1))


def replica_names(service: Service) -> tuple[str, ...]:
    if service.replicas == 1:
        return (service.name,)
    return tuple(f"{service.name}-{i}" for i in range(service.replicas))


def topology_of(system: System) -> Topology:
    hosts = {host.name: host for host in hosts_of(system)}
    replicas = tuple(
        Replica(
            name=name, service=service.name, zone=_zone(service, i), address=hosts[name].address,
            port=service.port, of=service.replicas,
        )
        for service in system.services
        for i, name in enumerate(replica_names(service))
    )  # fmt: skip
    calls = tuple((service.name, to) for service in system.services for to in service.calls)
    return Topology(replicas, calls, Replica(CLIENT, CLIENT, "", hosts[CLIENT].address, 0))


def _zone(service: Service, number: int) -> str:
    return service.zones[number % len(service.zones)] if service.zones else ""


def names_of(topology: Topology) -> str:
    """The world's /etc/hosts: a service is all of its replicas, `api-0` is one."""
    lines = ["127.0.0.1 localhost"]
    for replica in (topology.client, *topology.replicas):
        names = dict.fromkeys((replica.name, replica.service))
        lines.append(f"{replica.address} {' '.join(names)}")
    return "\n".join(lines) + "\n"


def commands_of(system: System, topology: Topology, logs: Path) -> tuple[Command, ...]:
    """What runs on each replica's host, in the order of the file."""
    return tuple(
        command(
            system, service, replica, logs, partial(_value, replica=replica, topology=topology),
            service_environment(HOME),
        )
        for service in system.services
        for replica in topology.replicas
        if replica.service == service.name
    )  # fmt: skip


def command(
    system: System, service: Service, replica: Replica, logs: Path,
    value: Callable[[str], str], env: Mapping[str, str],
) -> Command:  # fmt: skip
    """A replica's, with `value` for each `$(name)`."""
    filled = partial(_REFERENCE.sub, lambda match: value(match[1]))
    env = {**env, **{name: filled(text) for name, text in service.env}}
    return Command(
        host=replica.name,
        argv=tuple(filled(word) for word in shlex.split(service.run)),
        env=tuple(env.items()),
        cwd=str(system.directory.absolute()),
        log=str(logs.absolute() / f"{replica.name}.log"),
        restart_after=None if service.restart_after is None else float(service.restart_after),
    )


def _value(name: str, replica: Replica, topology: Topology) -> str:
    """What `$(name)` stands for in the command of this replica."""
    own = own_values(replica, data_directory(replica.name))
    if name in own:
        return own[name]
    other, _, field = name.partition(".")
    found = topology.named(other)
    if found and field in ("host", "port"):
        return other if field == "host" else str(found[0].port)
    raise means_nothing(name, replica)


def own_values(replica: Replica, data: str) -> dict[str, str]:
    """What a replica may ask of itself, by name."""
    return {
        "port": str(replica.port), "name": replica.name, "zone": replica.zone,
        "data": data, "host": replica.address,
    }  # fmt: skip


def means_nothing(name: str, replica: Replica) -> Refused:
    own = "), $(".join(own_values(replica, ""))
    return Refused(
        f"$({name}) in the command of {replica.service} stands for nothing",
        hint=f"there are $({own}) and $(SERVICE.host), $(SERVICE.port)",
    )


def data_directory(replica: str) -> str:
    """Private to the replica, in memory, gone with the world."""
    return f"{DATA}/{replica}"


def service_environment(home: str) -> dict[str, str]:
    """Little of the caller's, so that a system behaves alike wherever it is started."""
    return {
        "PATH": f"{Path(sys.prefix, 'bin')}{os.pathsep}{os.environ.get('PATH', os.defpath)}",
        "HOME": home,
        "USER": "harness",
        "LANG": "C.UTF-8",
        "PYTHONUNBUFFERED": "1",
        "PYTHONDONTWRITEBYTECODE": "1",
    }


def own_environment() -> dict[str, str]:
    """Of our own processes: the caller's, without proxies that nobody could reach from a world."""
    proxies = {"http_proxy", "https_proxy", "all_proxy", "ftp_proxy"}
    return {name: text for name, text in os.environ.items() if name.lower() not in proxies}
