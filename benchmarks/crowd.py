"""Planning over 1,000 nodes and 5,000 pods, beside planning over the shop's five pods.

Brings up a cluster of its own, and takes it down. Prints medians over 5 plans, their memory, and
the ratios; judges nothing.
"""

from __future__ import annotations

import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parents[1]
HARNESS = (sys.executable, "-P", "-m", "harness.cli.main")
DEVCLUSTER = (sys.executable, "-m", "devcluster", "--name")
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT / "k8s")}
NODES, PODS, PLANS = 1000, 5000, 5
NAME = "crowd"
EXPERIMENT = """
apiVersion: harness/v1
kind: Experiment
metadata: {{name: plan}}
spec:
  hypothesis: A plan is made in seconds.
  system: {system}
  load: {{requests: [{{get: /}}], entry: {entry}, arrivals: {{requests: 1/s}}, timeout: 1s}}
  timeline: [{{id: slow, at: 1s, for: 1s, fault: network.latency, target: {target}, delay: 10ms}}]
  objectives: []
"""
CROWD = """
apiVersion: harness/v1
kind: System
metadata: {name: crowd}
spec:
  kubernetes: {namespace: crowd}
  services:
    api: {workload: deploy/app-7, port: 8080}
    web: {workload: deploy/app-0, port: 8080}
"""


def main() -> None:
    if os.geteuid():
        print("needs root: a cluster of namespaces")
        return
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(4))
    devcluster(NAME, "up", "--patient")
    try:
        measure(NAME)
    finally:
        devcluster(NAME, "down")


def measure(name: str) -> None:
    config = devcluster(name, "kubeconfig")
    devcluster(name, "kubectl", "apply", "-k", str(ROOT / "scenarios/checkout/kubernetes"))
    devcluster(name, "kubectl", "-n", "shop", "wait", "pod", "--all", "--for=condition=Ready")
    with tempfile.TemporaryDirectory() as folder:
        shop = ROOT / "scenarios/checkout/system-kubernetes.yaml"
        small = plans(Path(folder), config, system=str(shop), entry="web", target="api")
        begun = time.perf_counter()
        devcluster(name, "crowd", str(NODES), str(PODS))
        print(f"crowd of {NODES} nodes, {PODS} pods ready in {time.perf_counter() - begun:.0f} s")
        Path(folder, "crowd.yaml").write_text(CROWD, encoding="utf-8")
        large = plans(Path(folder), config, system="crowd.yaml", entry="web", target="api")
    for what, unit, few, many in zip(("time", "memory"), ("s", "MB"), small, large, strict=True):
        print(f"plan, {what:7} {few:7.2f} {unit} over 5 pods, {many:7.2f} {unit} over {PODS}"
              f"   {many / few:5.2f} x")  # fmt: skip


def plans(folder: Path, config: str, **names: str) -> tuple[float, float]:
    """Median seconds, and MB of the largest."""
    (folder / "experiment.yaml").write_text(EXPERIMENT.format(**names), encoding="utf-8")
    command = [*HARNESS, "plan", "experiment.yaml", "--kubeconfig", config]
    times, sizes = [], []
    for _ in range(PLANS):
        begun = time.perf_counter()
        process = subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL)
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        assert process.returncode == 0, "the plan was refused"
        times.append(time.perf_counter() - begun)
        sizes.append(used.ru_maxrss / 1024)
    return statistics.median(times), max(sizes)


def devcluster(name: str, *words: str) -> str:
    done = subprocess.run(
        [*DEVCLUSTER, name, *words], env=ENVIRONMENT, cwd=ROOT, text=True, stdout=subprocess.PIPE,
        timeout=900, check=True,
    )  # fmt: skip
    return done.stdout.strip()


if __name__ == "__main__":
    main()
