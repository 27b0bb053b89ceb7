"""Reads a System file: services, and how each of them is there."""

from __future__ import annotations

import json
import re
from pathlib import Path

from harness.experiment import codes, system_shapes
from harness.experiment.documents import open_document, read_metadata
from harness.experiment.fields import Fields, mapping, plain_name
from harness.experiment.problems import Problems
from harness.experiment.system_checks import check_together
from harness.experiment.system_model import (
    LOAD_POD,
    THROUGH,
    WAYS,
    AgentPod,
    Cluster,
    Metadata,
    Service,
    System,
)
from harness.experiment.tree import Entry, Node
from harness.experiment.workloads import PLACES, in_full
from harness.units import Duration

_ADDRESS = re.compile(r"[^\s:/]+:\d{1,5}")
_PORTS = range(1, 65536)
_BEHIND = ("upstream", "proxy", "toxiproxy", "probe")
_MAX_SERVICES = 100


def load_system(path: Path) -> System:
    """The system of a file. Raises `InvalidFile` with all problems."""
    problems = Problems()
    system = read_system(path, problems)
    problems.finish()
    return system


def read_system(path: Path, problems: Problems) -> System:
    """As `load_system`, but reports only: what comes back has stand-ins where there were any."""
    root = open_document(path, system_shapes.SYSTEM, problems)
    metadata = read_metadata(root) if root else Metadata("")
    spec = root.below("spec", system_shapes.SYSTEM_SPEC) if root else None
    node = spec.node_of("services") if spec else None
    below = spec.below("kubernetes", system_shapes.KUBERNETES) if spec else None
    cluster = _cluster(below, path.parent) if below else None
    services = _services(node, problems, cluster) if node else ()
    return System(metadata, services, path, path.parent, cluster)


def _cluster(fields: Fields, directory: Path) -> Cluster:
    agent = fields.below("agent", system_shapes.AGENT)
    load = fields.below("load", system_shapes.LOAD_PODS)
    power = fields.below("power", system_shapes.POWER)
    namespace = fields.name("namespace")
    return Cluster(
        namespace=namespace, context=fields.text("context"), uid=fields.text("uid"),
        agent=_agent(agent, namespace) if agent else AgentPod(),
        load=_pods(load, LOAD_POD, LOAD_POD.namespace, LOAD_POD.way) if load else LOAD_POD,
        power_off=power.text("cut") if power else "",
        power_on=power.text("restore") if power else "",
        power_at=str(directory.absolute()) if power else "",
    )  # fmt: skip


def _agent(fields: Fields, targets: str) -> AgentPod:
    """Agents that live in their targets have no namespace of their own."""
    usual = AgentPod()
    way = fields.choice("way", WAYS) or usual.way
    return _pods(fields, usual, targets if way == "ephemeral" else usual.namespace, way)


def _pods(fields: Fields, usual: AgentPod, own: str, way: str) -> AgentPod:
    return AgentPod(
        way=way,
        namespace=fields.name("namespace") or own,
        image=fields.text("image", usual.image),
        cpu=fields.text("cpu", usual.cpu),
        memory=fields.text("memory", usual.memory),
        priority=fields.text("priority"),
        pull_secrets=fields.names("pull_secrets"),
        node_selector=fields.pairs("node_selector"),
        tolerations=tuple(
            _toleration(node, fields.problems) for node in fields.items("tolerations")
        ),
    )


def _toleration(node: Node, problems: Problems) -> str:
    if not re.fullmatch(r"[^:=\s]+(=[^:\s]*)?:(NoSchedule|NoExecute|PreferNoSchedule)", node.raw):
        said = f"a toleration is KEY=VALUE:EFFECT or KEY:EFFECT, not {node.raw or node.what}"
        problems.add(node.place, codes.CHOICE, said, "for example dedicated=chaos:NoSchedule")
    return node.raw


def _services(node: Node, problems: Problems, cluster: Cluster | None) -> tuple[Service, ...]:
    entries = mapping(node, "services", problems)
    if isinstance(node.data, dict) and not 0 < len(entries) <= _MAX_SERVICES:
        said = f"a system has 1 to {_MAX_SERVICES} services"
        problems.add(node.place, codes.INCOMPLETE, said)
    services = tuple(_service(entry, problems, cluster) for entry in entries.values())
    check_together(entries, services, problems, on_cluster=cluster is not None)
    return services


def _service(entry: Entry, problems: Problems, cluster: Cluster | None) -> Service:
    name = plain_name(entry.key, "a service's name", problems)
    fields = Fields(entry.value, system_shapes.SERVICE, problems)
    attach = fields.below("attach", system_shapes.ATTACH)
    service = Service(
        name=name,
        run=fields.text("run"),
        port=fields.integer("port", 0, highest=65535),
        ready=_ready(fields),
        calls=fields.names("calls"),
        replicas=fields.integer("replicas", 1, highest=64),
        zones=fields.names("zones"),
        restart_after=_restart(fields),
        env=fields.pairs("env"),
        attach_pid=attach.integer("pid", 0, highest=2**22) if attach else 0,
        attach_port=attach.integer("port", 0, highest=65535) if attach else 0,
        url=_url(fields, "url"),
        upstream=_address(fields, "upstream"),
        proxy=_address(fields, "proxy"),
        toxiproxy=_url(fields, "toxiproxy"),
        probe=fields.text("probe"),
        greeting=fields.text("greeting"),
        workload=_workload(fields),
        external=_address(fields, "external"),
        through=fields.choice("through", THROUGH) if fields.has("through") else "",
        line=entry.key.place.line,
    )
    _check_form(entry, fields, service, attach, problems)
    _check_place(entry, service, cluster, problems)
    _check_proxied(entry, fields, service, problems)
    return service


def _workload(fields: Fields) -> str:
    """In full: `deploy/web` is `deployment/web`."""
    named, node = fields.text("workload"), fields.node_of("workload")
    if node is None or not named:
        return ""
    full = in_full(named)
    if not full or full.partition("/")[0] in PLACES:
        said = f"workload is KIND/NAME, not {named!r}"
        kinds = ("deploy", "statefulset", "daemonset", "job", "service", "pod")
        fields.problems.add(node.place, codes.CHOICE, said, f"kinds are {', '.join(kinds)}")
        return ""
    return full


def _check_place(
    entry: Entry, service: Service, cluster: Cluster | None, problems: Problems
) -> None:
    """On a cluster services are workloads or external; elsewhere none is."""
    there = bool(service.workload or service.external)
    here = bool(service.run or service.attach_pid or service.attach_port or service.upstream)
    if cluster and here:
        said = f"{service.name}: on a cluster a service has workload or external"
        problems.add(entry.key.place, codes.FORM, said, f"workload: deploy/{service.name}")
    elif service.through and not service.workload:
        said = f"{service.name} has through, and is no workload: there is but one way to it"
        problems.add(entry.key.place, codes.FORM, said, "leave it out")
    elif there and not cluster:
        said = f"{service.name} is on a cluster, and the system does not say on which"
        problems.add(entry.key.place, codes.FORM, said, "kubernetes: {namespace: shop}")


def _ready(fields: Fields) -> str:
    ready, node = fields.text("ready"), fields.node_of("ready")
    if node is None or not ready:
        return ready
    if ready != "tcp" and not ready.startswith("/"):
        said = f"ready is tcp or a path like /health, not {ready!r}"
        fields.problems.add(node.place, codes.CHOICE, said)
    elif not fields.has("port"):
        said = "ready asks on the service's port, and there is none"
        fields.problems.add(node.place, codes.INCOMPLETE, said, "add port")
    return ready


def _restart(fields: Fields) -> Duration | None:
    node = fields.node_of("restart")
    if node is None or node.raw == "never":
        return None
    if node.is_scalar:
        said = f"restart is never or {{after: 1s}}, not {node.raw}"
        fields.problems.add(node.place, codes.CHOICE, said)
        return None
    return Fields(node, system_shapes.RESTART, fields.problems).duration("after")


def _url(fields: Fields, key: str) -> str:
    url, node = fields.text(key), fields.node_of(key)
    if node and url and not re.fullmatch(r"https?://[^\s/@]+(/\S*)?", url):
        example = next(k.example for k in fields.shape.keys if k.name == key)
        said = f"{key} is like {example}, not {url!r}"
        fields.problems.add(node.place, codes.CHOICE, said)
    return url


def _address(fields: Fields, key: str) -> str:
    address, node = fields.text(key), fields.node_of(key)
    if node and address and not (_ADDRESS.fullmatch(address) and _port(address) in _PORTS):
        said = f"{key} is like 127.0.0.1:6379, not {address!r}"
        fields.problems.add(node.place, codes.CHOICE, said)
    return address


def _port(address: str) -> int:
    return int(address.rpartition(":")[2])


def _check_form(
    entry: Entry, fields: Fields, service: Service, attach: Fields | None, problems: Problems
) -> None:
    names = ("run", "attach", "upstream", "workload", "external")
    forms = [form for form in names if fields.has(form)]
    if len(forms) > 1:
        said = f"{service.name} has {' and '.join(forms)}: choose one"
        problems.add(entry.key.place, codes.FORM, said)
    elif not (forms or service.url):
        said = f"{service.name} has none of {', '.join(names)}"
        hint = f'for example run: "python -m {service.name.replace("-", "_")}"'
        problems.add(entry.key.place, codes.FORM, said, hint)
    if attach and bool(service.attach_pid) == bool(service.attach_port):
        problems.add(attach.node.place, codes.FORM, "attach takes either port or pid")


def _check_proxied(entry: Entry, fields: Fields, service: Service, problems: Problems) -> None:
    """The first two go together, and a server's URL with what its witness says."""
    given = [key for key in (*_BEHIND, "greeting") if fields.has(key)]
    needed = _BEHIND if {"toxiproxy", "probe", "greeting"} & set(given) else _BEHIND[:2]
    missing = [key for key in needed if key not in given]
    if given and missing:
        said = f"{service.name} has {' and '.join(given)}, and no {' and no '.join(missing)}"
        examples = (k for k in fields.shape.keys if k.name in missing)
        hint = "for example " + ", ".join(f"{k.name}: {_quoted(k.example)}" for k in examples)
        problems.add(entry.key.place, codes.FORM, said, hint)
    elif given and service.upstream and service.upstream == service.proxy:
        said = f"{service.name}: upstream and proxy are the same, so nothing is between them"
        problems.add(entry.key.place, codes.FORM, said)


def _quoted(example: object) -> str:
    return json.dumps(example)
