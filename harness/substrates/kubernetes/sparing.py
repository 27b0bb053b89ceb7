"""What faults on a pod leave alone unless their file says otherwise: DNS, its kubelet's probes."""

from __future__ import annotations

from collections.abc import Iterator

from harness.agent.effects import DNS, PROBES, Spared
from harness.substrates.kubernetes.api import Json
from harness.substrates.kubernetes.objects import Pod
from harness.substrates.kubernetes.reading import Reader

_SYSTEM, _SLICES = "kube-system", "discovery.k8s.io"
#: By this label the cluster's DNS is known, whatever it is.
_LABEL = "k8s-app=kube-dns"
_PORT = 53
#: With this TTL Linux begins (net.ipv4.ip_default_ttl), so with this its own packets arrive in the
#: pods of a node, one less than which is all that it passes on.
_TTL = 64


def spared_at(pod: Pod, dns: Spared) -> tuple[Spared, ...]:
    """A pod without probes over the network has none to spare."""
    probes = Spared(PROBES, tuple(filter(None, (pod.host,))), pod.probed, _TTL, own=True)
    return (dns, probes) if pod.probed else (dns,)


def dns_of(reader: Reader) -> Spared:
    """The Service's address and its endpoints', where the account may read them, besides what each
    pod calls its resolvers."""
    services = reader.system("", "services", _LABEL)
    addresses = [item["spec"].get("clusterIP", "") for item in services]
    ports = {_PORT}
    for service in services:
        name = f"kubernetes.io/service-name={service['metadata']['name']}"
        for each in reader.system(_SLICES, "endpointslices", name):
            addresses += [a for e in each.get("endpoints") or () for a in e["addresses"]]
            ports |= set(_behind(service, each))
    usable = tuple(dict.fromkeys(a for a in addresses if a.count(".") == 3))
    return Spared(DNS, usable, tuple(sorted(ports)), own=True)


def _behind(service: Json, endpoints: Json) -> Iterator[int]:
    """The endpoints' own ports for lookups: a DNS has others, of its metrics."""
    names = {p.get("name", "") for p in service["spec"].get("ports") or () if p["port"] == _PORT}
    for port in endpoints.get("ports") or ():
        if port.get("name", "") in names and port.get("port"):
            yield int(port["port"])
