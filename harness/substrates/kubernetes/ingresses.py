"""Ingress objects as doors to Services: what `kubectl get ingress` shows, and where rules lead."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from harness.substrates.kubernetes.objects import Json, ServicePort

_CLASS = "kubernetes.io/ingress.class"
#: A path below which everything leads to the Service; what a controller reads as a pattern is none.
_PREFIX = re.compile(r"/[\w.~%/-]*|")


@dataclass(frozen=True)
class Door:
    """A rule of an Ingress that leads to a Service. `host` empty: it answers to any; `kind` is its
    class, `address` where its controller says that it is."""

    ingress: str
    kind: str
    host: str
    path: str
    address: str
    secure: bool

    @property
    def plain(self) -> bool:
        """One host is meant, not all of a domain."""
        return not self.host.startswith("*.")

    def answers(self, host: str) -> bool:
        """As a client calls it; a star stands for one label."""
        _, _, domain = host.partition(".")
        return self.host in (host, f"*.{domain}") or (not self.host and self.address == host)


def doors_to(service: str, port: ServicePort, ingress: Json) -> Iterator[Door]:
    """Its rules that lead there, the widest path first. None while it has no address: no controller
    has taken it."""
    spec, meta = ingress.get("spec", {}), ingress["metadata"]
    there: Json = next(
        iter(ingress.get("status", {}).get("loadBalancer", {}).get("ingress") or ()), {}
    )
    address = there.get("ip") or there.get("hostname") or ""
    kind = spec.get("ingressClassName") or (meta.get("annotations") or {}).get(_CLASS, "")
    found = sorted(_rules(service, port, spec), key=lambda rule: len(rule[1]))
    for host, path in found if address else ():
        yield Door(meta["name"], kind, host, path, address, _is_secure(host, spec))


def _rules(service: str, port: ServicePort, spec: Json) -> Iterator[tuple[str, str]]:
    """Host (empty: any) and path of each."""
    for rule in spec.get("rules") or ():
        for path in rule.get("http", {}).get("paths") or ():
            prefix = path.get("pathType") != "Exact" and _PREFIX.fullmatch(path.get("path", ""))
            if prefix and _leads(path.get("backend", {}), service, port):
                yield rule.get("host", ""), path.get("path", "")
    if _leads(spec.get("defaultBackend", {}), service, port):
        yield "", ""


def _leads(backend: Json, service: str, port: ServicePort) -> bool:
    found = backend.get("service", {})
    named = found.get("port", {})
    return found.get("name") == service and (
        named.get("number") == port.port or bool(port.name and named.get("name") == port.name)
    )


def _is_secure(host: str, spec: Json) -> bool:
    """Certificates without hosts are for all of them."""
    return any(not tls.get("hosts") or host in tls["hosts"] for tls in spec.get("tls") or ())
