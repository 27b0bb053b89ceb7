"""What of a System can only be judged when all its services are known: names, calls, references."""

from __future__ import annotations

import re

from harness.experiment import codes
from harness.experiment.problems import Problems, did_you_mean
from harness.experiment.system_model import Service
from harness.experiment.targets import CLIENT
from harness.experiment.tree import Entry, Node

_REFERENCE = re.compile(r"\$\(([^()]*)\)")
_OWN = ("host", "port", "name", "zone", "data")


def check_together(
    entries: dict[str, Entry], services: tuple[Service, ...], problems: Problems, *,
    on_cluster: bool,
) -> None:  # fmt: skip
    """What can only be judged when all services are known."""
    by_name = {service.name: service for service in services}
    _check_names(entries, services, problems)
    elsewhere = [s for s in services if s.attach_pid or s.attach_port or s.url or s.upstream]
    if elsewhere and not on_cluster and any(service.run for service in services):
        odd = elsewhere[0]
        said = f"{odd.name} is not started by us, others are: a system lives in one place"
        problems.add(entries[odd.name].key.place, codes.FORM, said)
    for entry in entries.values():
        if isinstance(entry.value.data, dict):
            _check_calls(entry, by_name, problems)
            _check_references(entry, by_name, problems)


def _check_names(
    entries: dict[str, Entry], services: tuple[Service, ...], problems: Problems
) -> None:
    taken = {f"{s.name}-{i}": s.name for s in services if s.replicas > 1 for i in range(s.replicas)}
    for name, entry in entries.items():
        if name == CLIENT:
            said = "client is the host that the load lives on; choose another name"
            problems.add(entry.key.place, codes.NAME, said)
        if name in taken:
            said = f"{name} is also a replica of {taken[name]}; choose another name"
            problems.add(entry.key.place, codes.NAME, said)


def _check_calls(entry: Entry, by_name: dict[str, Service], problems: Problems) -> None:
    assert isinstance(entry.value.data, dict)
    calls = entry.value.data.get("calls")
    items = calls.value.data if calls else ()
    for item in items if isinstance(items, tuple) else ():
        if item.raw == entry.key.raw:
            problems.add(item.place, codes.TARGET, f"{item.raw} calls itself")
        elif item.raw and item.raw not in by_name:
            hint = did_you_mean(item.raw, by_name, "services")
            problems.add(item.place, codes.TARGET, f"there is no service {item.raw!r}", hint)


def _check_references(entry: Entry, by_name: dict[str, Service], problems: Problems) -> None:
    """`$(database.host)`, `$(api-0.port)` in `run` and `env` must mean something."""
    assert isinstance(entry.value.data, dict)
    own = by_name[entry.key.raw]
    replicas = {f"{s.name}-{i}": s for s in by_name.values() for i in range(_several(s))}
    for node in _texts(entry.value.data):
        for match in _REFERENCE.finditer(node.raw):
            wrong_reference = _judge_reference(match[1].strip(), own, by_name | replicas)
            if wrong_reference:
                said, hint = wrong_reference
                problems.add(node.at(match.start()), codes.REFERENCE, said, hint)


def _several(service: Service) -> int:
    return service.replicas if service.replicas > 1 else 0


def _texts(service: dict[str, Entry]) -> list[Node]:
    env = service["env"].value.data if "env" in service else {}
    values = [e.value for e in env.values()] if isinstance(env, dict) else []
    return [*([service["run"].value] if "run" in service else []), *values]


def _judge_reference(
    reference: str, own: Service, by_name: dict[str, Service]
) -> tuple[str, str] | None:
    name, dot, what = reference.partition(".")
    if not dot:
        if name not in _OWN:
            known = [*_OWN, *(f"{n}.host" for n in by_name)]
            return f"$({name}) means nothing here", did_you_mean(name, known, "references")
        if name == "port" and not own.port:
            return f"$(port): {own.name} has no port", "add port"
        return None
    if name not in by_name:
        hint = did_you_mean(name, by_name, "services")
        return f"$({reference}): there is no service {name!r}", hint
    if what not in ("host", "port"):
        return f"$({reference}): a service has host and port", f"$({name}.host), $({name}.port)"
    if what == "port" and not by_name[name].port:
        return f"$({reference}): {name} has no port", f"add port to {name}"
    return None
