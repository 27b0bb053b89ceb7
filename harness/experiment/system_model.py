"""A system as frozen values: services, and where they live."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from harness.units import Duration


@dataclass(frozen=True)
class Metadata:
    name: str
    owner: str = ""
    labels: tuple[tuple[str, str], ...] = ()


#: Where agents live: a pod of their own on each node, or their targets.
WAYS = ("node", "ephemeral")


@dataclass(frozen=True)
class AgentPod:
    """How agents are put on nodes. `tolerations` as `key=value:effect`; none: every taint. The
    other `way` than on the `node` is `ephemeral`: in each target, as a container of its own.

    Load workers are put there in the same words (`LOAD_POD`), where no toleration means none."""

    way: str = "node"
    namespace: str = "harness-agents"
    image: str = "reliability-harness-agent:latest"
    cpu: str = "500m"
    memory: str = "256Mi"
    priority: str = ""
    pull_secrets: tuple[str, ...] = ()
    node_selector: tuple[tuple[str, str], ...] = ()
    tolerations: tuple[str, ...] = ()


LOAD_POD = AgentPod(namespace="harness", image="reliability-harness", cpu="100m", memory="512Mi")


@dataclass(frozen=True)
class Cluster:
    """Where a system on Kubernetes lives: a context of the kubeconfig (empty: the current one) and
    a namespace. `uid`, that of kube-system, pins the cluster itself, whatever it is called. The
    path of a `kubeconfig` is told by an option, never by the file; the commands `power_off` and
    `power_on` switch a node, whose name stands for {node} in them; they run
    in the directory `power_at`, that of the System file."""

    namespace: str
    context: str = ""
    uid: str = ""
    agent: AgentPod = AgentPod()
    load: AgentPod = LOAD_POD
    kubeconfig: str = ""
    power_off: str = ""
    power_on: str = ""
    power_at: str = ""


#: How load from here reaches a service of a cluster, in the order in which a way is chosen.
THROUGH = ("load-balancer", "node-port", "ingress", "port-forward")


@dataclass(frozen=True)
class Service:
    """One service of a system. Exactly one of `run`, `attach_*`, `upstream`, `workload` (like
    `deploy/web`) or `external` (host:port) is set, or `url` alone. A workload's `url` is what its
    users call it, and `through` (one of `THROUGH`) how load comes from outside of the cluster.

    What runs behind a proxy has `upstream` (where it is) and `proxy` (where callers find it). Where
    that is a Toxiproxy's, there are `toxiproxy` (the server's URL), `probe` (what it answers at
    once, and always alike) and perhaps `greeting` (what has to be said once before, on each
    connection)."""

    name: str
    run: str = ""
    port: int = 0
    ready: str = ""
    calls: tuple[str, ...] = ()
    replicas: int = 1
    zones: tuple[str, ...] = ()
    restart_after: Duration | None = None
    env: tuple[tuple[str, str], ...] = ()
    attach_pid: int = 0
    attach_port: int = 0
    url: str = ""
    upstream: str = ""
    proxy: str = ""
    toxiproxy: str = ""
    probe: str = ""
    greeting: str = ""
    workload: str = ""
    external: str = ""
    through: str = ""
    line: int = 0


@dataclass(frozen=True)
class System:
    """What is under test. `directory` is where commands run and relative paths start."""

    metadata: Metadata
    services: tuple[Service, ...]
    path: Path
    directory: Path
    cluster: Cluster | None = None

    @property
    def attached(self) -> bool:
        return not self.cluster and any(not service.run for service in self.services)

    def service(self, name: str) -> Service | None:
        return next((service for service in self.services if service.name == name), None)
