"""What a scratch namespace holds, for the API: an asker that calls a server, both on one node."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from harness.selftest import tiny
from harness.selftest.plain import ASKER, SERVER
from harness.substrates.kubernetes.api import Json
from harness.substrates.kubernetes.consent import ALLOW
from harness.substrates.kubernetes.manifest import LABEL

NAME = "harness-selftest"
LOOKER = "looker"
PORT = 7000
_TINY = Path(tiny.__file__).read_text()
_HOST = "kubernetes.io/hostname"
_SMALL = {"cpu": "10m", "memory": "32Mi"}
#: In the words of the API: a Service's address is in the environment of pods that begin after it.
_ADDRESS = "$(SERVER_SERVICE_HOST)"


@dataclass(frozen=True)
class Slot:
    """A namespace whose pods live on one node, whose label `kubernetes.io/hostname` is `host`."""

    namespace: str
    node: str
    host: str

    @property
    def path(self) -> str:
        return f"/api/v1/namespaces/{self.namespace}"

    @property
    def deployments(self) -> str:
        return f"/apis/apps/v1/namespaces/{self.namespace}/deployments"


def namespace(slot: Slot) -> Json:
    """Its owner is this selftest, which agrees to all."""
    labels = {LABEL: NAME, ALLOW: "all"}
    return {"apiVersion": "v1", "kind": "Namespace",
            "metadata": {"name": slot.namespace, "labels": labels}}  # fmt: skip


def service(slot: Slot) -> Json:
    spec = {"selector": {"app": SERVER}, "ports": [{"port": PORT}]}
    return {"apiVersion": "v1", "kind": "Service", "metadata": _meta(SERVER, slot), "spec": spec}


def deployments(slot: Slot, image: str) -> tuple[Json, Json]:
    server = _deployment(SERVER, slot, image, "server", str(PORT), "")
    asking = ("asker", str(PORT), "", _ADDRESS, str(PORT))
    return server, _deployment(ASKER, slot, image, *asking)


def looker(slot: Slot, namespace: str, image: str) -> Json:
    """It sees all of its node, so it lives where privileged pods may."""
    meta = {"name": f"{NAME}-{slot.namespace}"[:63].rstrip("-"), "namespace": namespace,
            "labels": {LABEL: NAME}}  # fmt: skip
    container = {
        "name": LOOKER, "image": image, "imagePullPolicy": "IfNotPresent",
        "command": ["python3", "-c", "import time; time.sleep(10 ** 6)"],
        "securityContext": {"privileged": True},
    }  # fmt: skip
    spec = {**_on(slot), "hostPID": True, "restartPolicy": "Always", "containers": [container]}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": spec}


def _deployment(name: str, slot: Slot, image: str, *words: str) -> Json:
    labels = {"app": name}
    container = {
        "name": name, "image": image, "imagePullPolicy": "IfNotPresent",
        "command": ["python3", "-S", "-c", _TINY, *words],
        "ports": [{"containerPort": PORT}],
        "readinessProbe": {"tcpSocket": {"port": PORT}, "periodSeconds": 1},
        "resources": {"requests": _SMALL},
    }  # fmt: skip
    pod = {"metadata": {"labels": labels}, "spec": {**_on(slot), "containers": [container]}}
    spec = {"replicas": 1, "selector": {"matchLabels": labels}, "template": pod}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": _meta(name, slot),
            "spec": spec}  # fmt: skip


def _on(slot: Slot) -> Json:
    """There and nowhere else, whatever becomes of the node."""
    return {
        "nodeSelector": {_HOST: slot.host}, "tolerations": [{"operator": "Exists"}],
        "terminationGracePeriodSeconds": 1,
    }  # fmt: skip


def _meta(name: str, slot: Slot) -> Json:
    return {"name": name, "namespace": slot.namespace, "labels": {LABEL: NAME}}
