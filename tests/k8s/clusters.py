"""A cluster to test on, its power switches, and questions to it."""

import json
import os
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from devcluster import binaries, layout

REPOSITORY = Path(__file__).parents[2]
MODULE = (sys.executable, "-m", "devcluster")
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(REPOSITORY / "k8s")}
SHOP = REPOSITORY / "scenarios/checkout/kubernetes"
#: A part of it as a System.
SHOP_SYSTEM = """
apiVersion: harness/v1
kind: System
metadata: {name: shop}
spec:
  kubernetes: {namespace: shop}
  services:
    web: {workload: deploy/web, port: 80, calls: [api]}
    api: {workload: deploy/api, port: 8000}
"""
#: In the template of a Deployment: something that answers at port 8080.
LISTENS = """\
      containers:
        - name: app
          image: reliability-harness-probe
          imagePullPolicy: IfNotPresent
          command: [python3, -m, http.server, "8080"]
          ports: [{containerPort: 8080}]
          readinessProbe: {tcpSocket: {port: 8080}, periodSeconds: 1}
"""
_BUILD_S = 1500


def why_not():
    """Why no cluster can be had here, or nothing."""
    if os.environ.get("HARNESS_KUBECONFIG"):
        return ""
    if os.geteuid():
        return "not root"
    path = layout.search_path()
    missing = [tool for tool in ("go", "containerd", "runc") if not shutil.which(tool, path=path)]
    return f"no {', no '.join(missing)}: see k8s/README.md" if missing else ""


def devcluster(name, *words, timeout_s=120, check=True):
    """A command of k8s/devcluster, as people type it."""
    done = subprocess.run(
        [*MODULE, "--name", name, *words], env=ENVIRONMENT, cwd=REPOSITORY, text=True,
        capture_output=True, timeout=timeout_s, check=False,
    )  # fmt: skip
    assert not check or not done.returncode, done.stderr
    return done


@dataclass(frozen=True)
class Cluster:
    """`name` is empty for a cluster that was given: its nodes have no power switch."""

    name: str
    kubeconfig: Path
    program: str

    def kubectl(self, *words, timeout_s=60, check=True, given=None):
        command = [self.program, f"--kubeconfig={self.kubeconfig}", *words]
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=timeout_s, check=False, input=given
        )
        assert not check or not done.returncode, f"{' '.join(words)}: {done.stderr}"
        return done.stdout

    def get(self, *words):
        return json.loads(self.kubectl("get", *words, "-o", "json"))

    def node(self, *words, **options):
        """A node's switches: "poweroff", "n2"; "cable", "n2", "down"; "stop", "n2", "kubelet" …"""
        return devcluster(self.name, *words, **options).stdout

    def address(self, node):
        addresses = self.get("node", node)["status"]["addresses"]
        return next(a["address"] for a in addresses if a["type"] == "InternalIP")

    def is_ready(self, node):
        return condition(self.get("node", node), "Ready")

    def pods(self, namespace, labels=""):
        """Those that are not on their way out, by name."""
        chosen = ("-l", labels) if labels else ()
        items = self.get("-n", namespace, "pods", *chosen)["items"]
        return {p["metadata"]["name"]: p for p in items if "deletionTimestamp" not in p["metadata"]}

    def probe(self, node, *words, timeout_s=20, check=True):
        """A command in the probe pod of that node."""
        pods = self.pods("probes").values()
        pod = next(p for p in pods if p["spec"]["nodeName"] == node)
        there = ("-n", "probes", "exec", pod["metadata"]["name"], "--")
        return self.kubectl(*there, *words, timeout_s=timeout_s, check=check)


def bring_up(name):
    """Up, with what it said: building programs takes minutes the first time."""
    done = devcluster(name, "up", timeout_s=_BUILD_S)
    path = Path(done.stdout.strip().rpartition("=")[2])
    return Cluster("" if os.environ.get("HARNESS_KUBECONFIG") else name, path, kubectl())


def kubectl():
    """The one that was built; elsewhere the user's own."""
    return str(binaries.kubectl()) if binaries.kubectl().exists() else shutil.which("kubectl")


def evict(cluster, namespace, pod):
    """As a drain does: by the Eviction API, which asks disruption budgets."""
    meta = {"name": pod, "namespace": namespace}
    body = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": meta}
    path = f"/api/v1/namespaces/{namespace}/pods/{pod}/eviction"
    cluster.kubectl("create", "--raw", path, "-f", "-", given=json.dumps(body))


def condition(thing, kind):
    conditions = thing["status"].get("conditions", ())
    return any(c["type"] == kind and c["status"] == "True" for c in conditions)


def until(what, holds, limit_s):
    """Seconds it took."""
    begun = time.monotonic()
    while not holds():
        assert time.monotonic() - begun < limit_s, f"{what}: not within {limit_s} s"
        time.sleep(0.1)
    return time.monotonic() - begun
