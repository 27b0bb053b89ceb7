"""Reads the `load` of an experiment: who asks for what, and how often."""

from __future__ import annotations

from pathlib import Path

from harness.curves import Varying
from harness.experiment import codes, shapes
from harness.experiment.fields import Fields
from harness.experiment.model import Arrivals, Closed, Load
from harness.experiment.problems import did_you_mean
from harness.experiment.requests import read_data, read_requests
from harness.experiment.sections import existing_file, place_of
from harness.experiment.system_model import System
from harness.units import Duration, Rate

_NO_RATE: Varying[Rate] = Varying(((0.0, 0.0),), True, "0/s")
_TIMEOUT = Duration(10)
ORIGINS = ("here", "cluster")
#: How long an answer is taken to take where a closed loop has to be put into a rate.
_ANSWER_S = 0.01


def read_load(fields: Fields, directory: Path, system: System | None, *, sound: bool) -> Load:
    users = existing_file(fields, "users", directory)
    requests = read_requests(fields)
    _check_what(fields)
    entry = fields.text("entry")
    _check_entry(fields, entry, system, sound=sound)
    timeout = fields.duration("timeout", _TIMEOUT)
    if timeout <= 0:
        place = place_of(fields, "timeout")
        fields.problems.add(place, codes.QUANTITY, "a timeout of 0s would fail every request")
    arrivals = fields.below("arrivals", shapes.ARRIVALS)
    return Load(
        users=users,
        entry=entry,
        arrivals=_arrivals(arrivals, directory) if arrivals else Arrivals("tasks", _NO_RATE),
        warmup=fields.duration("warmup"),
        timeout=timeout,
        workers=fields.integer("workers", 1, highest=64),
        headers=fields.pairs("headers"),
        requests=requests,
        data=read_data(fields, requests),
        origin=fields.choice("from", ORIGINS),
    )


def _check_what(fields: Fields) -> None:
    """Either users or requests; a key that was meant to be one of them was reported before."""
    if fields.has("users") and fields.has("requests"):
        said = "load has either users or requests"
        fields.problems.add(place_of(fields, "requests"), codes.INCOMPLETE, said, "remove one")
    elif fields.node_of("requests") and not fields.items("requests"):
        said = "requests has none"
        fields.problems.add(place_of(fields, "requests"), codes.INCOMPLETE, said)
    elif isinstance(fields.node.data, dict) and not (
        fields.meant("users") or fields.meant("requests")
    ):
        said = "load needs users or requests"
        hint = "for example users: shopper.py, or requests: [{get: /}]"
        fields.problems.add(fields.node.place, codes.MISSING_KEY, said, hint)


def _check_entry(fields: Fields, entry: str, system: System | None, *, sound: bool) -> None:
    if system is None or not entry:
        return
    service = system.service(entry)
    if service is None:
        names = [service.name for service in system.services]
        hint = did_you_mean(entry, names, "services")
        said = f"the system has no service {entry!r}"
        fields.problems.add(place_of(fields, "entry"), codes.TARGET, said, hint)
    elif sound and not (service.port or service.url or service.attach_port):
        said = f"{entry} has no port, so nobody can go there"
        fields.problems.add(place_of(fields, "entry"), codes.TARGET, said, "add port in the system")


# ---------------------------------------------------------------- arrivals


def _arrivals(fields: Fields, directory: Path) -> Arrivals:
    given = [key for key in ("tasks", "requests", "closed") if fields.has(key)]
    if len(given) != 1:
        if isinstance(fields.node.data, dict) and not any(fields.unknown()):
            said = "arrivals counts either tasks or requests, or is closed"
            place = fields.node.place
            fields.problems.add(place, codes.INCOMPLETE, said, "for example {tasks: 200/s}")
        return Arrivals("tasks", _NO_RATE)
    if given == ["closed"]:
        return _closed(fields)
    rate = fields.curve(given[0], Rate, directory)
    if rate is not None and rate.peak <= 0:
        said = "a rate of 0/s asks nothing of the system"
        fields.problems.add(place_of(fields, given[0]), codes.QUANTITY, said)
    return Arrivals(given[0], rate or _NO_RATE, fields.flag("poisson"))


def _closed(fields: Fields) -> Arrivals:
    if fields.has("poisson"):
        said = "in a closed loop nothing is due, so there are no intervals between arrivals"
        fields.problems.add(place_of(fields, "poisson"), codes.INCOMPLETE, said, "remove poisson")
    below = fields.below("closed", shapes.CLOSED)
    if below is None:
        return Arrivals("tasks", _NO_RATE)
    closed = Closed(below.integer("users", 1, highest=10_000), below.duration("think"))
    about = Rate(closed.users / (float(closed.think) + _ANSWER_S))
    return Arrivals("tasks", Varying.of(Rate, about), closed=closed)
