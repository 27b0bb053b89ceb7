"""The system's pods as they come and go while a run lasts, and who takes whose place."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from harness.agent.effects import DNS, Edge, Link, Processes, Resource, Spared
from harness.errors import Refused
from harness.mechanisms.pods import MARK
from harness.record.moves import Move, Readdressed, Replaced
from harness.substrates.kubernetes.api import Api
from harness.substrates.kubernetes.objects import Pod
from harness.substrates.kubernetes.reading import Reader
from harness.substrates.kubernetes.sparing import spared_at
from harness.substrates.kubernetes.topology import Found

#: Says why the one target must not be changed by this run, or nothing.
Claim = Callable[[Resource], str]


class PodWatch:
    """`look` is called by one thread; `pods`, by name, is what it saw last, and shared with whoever
    asks for a pod's node. `resources` are those that the run changes. `bypassed` says why a fault
    on connections cannot be all that it is any more."""

    def __init__(
        self, api: Api, namespace: str, found: Found, resources: tuple[Resource, ...], claim: Claim
    ) -> None:
        self.pods = found.pods
        self.troubles: list[str] = []
        self.bypassed = ""
        self.moves: list[Move] = []
        self._reader = Reader(api, namespace, nodes={})
        self._resources = list(resources)
        self._claim = claim
        self._services = [
            _Service(
                service,
                ref,
                [found.pods[r.name] for r in found.topology.named(service)],
                headless=service in found.headless,
            )
            for service, ref in found.workloads.items()
        ]

    @property
    def unready(self) -> tuple[str, ...]:
        """Pods of the system that are not ready."""
        pods = [pod for service in self._services for pod in list(service.known.values())]
        return tuple(pod.name for pod in pods if not pod.ready)

    def look(self) -> None:
        """Raises `ApiError`."""
        for service in self._services:
            try:
                there = self._reader.pods_of(service.reference)
            except Refused:  # nobody keeps its pods any more
                there = ()
            self._leave(service, {pod.uid: pod for pod in there})
            self._come(service, there)
            if move := service.readdressed():
                self.moves.append(move)
                self._check_redirects(service, move)

    # ------------------------------------------------------------ who goes, and who comes

    def _leave(self, service: _Service, there: dict[str, Pod]) -> None:
        for uid, before in list(service.known.items()):
            now = there.get(uid)
            if now is None or now.leaving:
                self.troubles.append(f"{before.name} is {'going' if now else 'gone'}")
                service.vacancies.append(service.known.pop(uid))
            else:
                self.troubles += _changes(before, now)
                service.known[uid] = self.pods[now.name] = now
        for name in [pod.name for pod in service.gone(there)]:
            self.pods.pop(name, None)

    def _come(self, service: _Service, there: tuple[Pod, ...]) -> None:
        fresh = [pod for pod in there if pod.uid not in service.seen and _serves(pod)]
        for pod in sorted(fresh, key=lambda pod: pod.created):
            service.seen[pod.uid] = service.known[pod.uid] = self.pods[pod.name] = pod
            old = service.place_for(pod)
            self.troubles.append(f"{pod.name} is new" + (f", for {old.name}" if old else ""))
            if old:
                self._replace(old, pod)

    def _check_redirects(self, service: _Service, move: Readdressed) -> None:
        """Connections to a Service's own address go through the proxy, whoever is behind it. Those
        to pods themselves, as a headless Service names them, do so for the pods of before alone."""
        new = sorted(set(move.now) - set(move.before))
        ends = (r.target.rpartition("->")[2] for r in self._resources if isinstance(r, Edge))
        if new and service.headless and service.name in ends:
            self.bypassed = (
                f"{service.name} is headless, and has a new pod at {', '.join(new)}: what goes to "
                "it does not run through the proxy, which faults of dependencies need"
            )

    def _replace(self, old: Pod, new: Pod) -> None:
        for resource in [r for r in self._resources if getattr(r, "netns", "") == MARK + old.uid]:
            successor = moved(resource, old, new)
            if why := self._claim(successor):
                self.troubles.append(f"{new.name} is not followed: {why}")
            else:
                self._resources.append(successor)
                self.moves.append(Replaced(resource, successor))


class _Service:
    """One service's pods, by uid. `seen` are all that ever were its own."""

    def __init__(self, name: str, reference: str, pods: list[Pod], *, headless: bool) -> None:
        self.name = name
        self.headless = headless
        self.reference = reference
        self.known = {pod.uid: pod for pod in pods}
        self.seen = dict(self.known)
        self.vacancies: list[Pod] = []
        self._told = tuple(pod.address for pod in pods)

    def place_for(self, pod: Pod) -> Pod | None:
        """Whom it replaces: one of its own name (a StatefulSet's), else who left first."""
        same = (old for old in self.vacancies if old.name == pod.name)
        old = next(same, self.vacancies[0] if self.vacancies else None)
        if old:
            self.vacancies.remove(old)
        return old

    def gone(self, there: dict[str, Pod]) -> list[Pod]:
        """Those that are not there at all, and of whose name there is no other."""
        names = {pod.name for pod in there.values()}
        return [p for p in self.seen.values() if p.uid not in there and p.name not in names]

    def readdressed(self) -> Readdressed | None:
        """Never told as nowhere: an empty filter would mean everybody."""
        now = tuple(pod.address for pod in self.known.values())
        if not now or set(now) == set(self._told):
            return None
        before, self._told = self._told, now
        return Readdressed(before, now)


def moved(resource: Resource, old: Pod, new: Pod) -> Resource:
    """The same of the pod that has taken its pod's place."""
    assert isinstance(resource, (Link, Processes, Edge)), "others have no network namespace"
    target = resource.target.replace(old.ref, new.ref, 1)
    found = replace(resource, target=target, netns=MARK + new.uid)
    if not isinstance(found, Link):
        return found
    dns = next((each for each in found.spared if each.name == DNS), Spared(DNS))
    return replace(found, address=new.address, spared=spared_at(new, dns))


def _serves(pod: Pod) -> bool:
    return pod.ready and bool(pod.address) and not pod.leaving


def _changes(before: Pod, now: Pod) -> list[str]:
    told = []
    if now.restarts > before.restarts:
        told.append(f"{now.name} restarted ({now.restarts} in all)")
    if now.ready != before.ready:
        told.append(f"{now.name} is {'ready' if now.ready else 'not ready'}")
    return told
