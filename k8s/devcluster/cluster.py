"""Up and down."""

from __future__ import annotations

import os
import shutil
import sys
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

from devcluster import (
    binaries,
    certificates,
    cgroups,
    dns,
    loading,
    power,
    processes,
    waiting,
    wiring,
)
from devcluster import (
    layout as layouts,
)
from devcluster.images import recipes
from devcluster.layout import CONTROL_PLANE, Failed, Layout
from devcluster.shell import attempt, run

_TOOLS = (
    "containerd",
    "ctr",
    "runc",
    "openssl",
    "iptables",
    "ip",
    "nsenter",
    "sysctl",
    "conntrack",
)
_CAME_UP = "came-up"
_PLUGINS = Path("/usr/lib/cni/bridge")


def up(name: str, workers: int, *, patient: bool = False) -> Layout:
    """A cluster with Ready nodes, DNS and all images; what does not come up is cleared away.
    One that is up already is left as it is."""
    check()
    archives = prepare()
    if is_up(name):
        waiting.say(f"{name} is up already")
        return layouts.load(name)
    if (layouts.clusters() / name / "cluster.json").exists():
        clean(layouts.load(name))  # what an interrupted one left
    layout = layouts.claim(name, workers, patient=patient)
    try:
        _bring_up(layout, archives)
    except BaseException:
        _explain(layout)
        clean(layout)
        raise
    return layout


def is_up(name: str) -> bool:
    """It came up once, and its control plane has power."""
    if not (layouts.clusters() / name / _CAME_UP).exists():
        return False
    return processes.pid_of(layouts.load(name), CONTROL_PLANE) != 0


def check() -> None:
    """Raises `Failed` where a cluster cannot be."""
    if os.geteuid():
        raise Failed("a cluster of namespaces needs root: sudo make cluster, or install kind")
    cgroups.hierarchies()
    missing = [tool for tool in _TOOLS if not shutil.which(tool)]
    if missing or not _PLUGINS.exists():
        said = ", ".join([*missing, *([] if _PLUGINS.exists() else ["CNI plugins"])])
        raise Failed(f"missing: {said}; on Debian, .ci/tools installs them")


def prepare() -> list[Path]:
    """What is kept between clusters: programs, and images as archives."""
    binaries.ensure(binaries.CLUSTER, binaries.COREDNS, binaries.PAUSE)
    return recipes.build([*recipes.system(), *recipes.ours()])


def clean(layout: Layout) -> None:
    """Take all of it away, whatever state it is in. Raises `Failed` when something is left."""
    for node in sorted(layout.names, key=lambda node: node == CONTROL_PLANE):
        processes.kill(layout, node)
    cgroups.kill(layout)
    cgroups.remove(layout)
    wiring.unplug_machine(layout)
    layouts.release(layout)
    with ThreadPoolExecutor() as pool:  # gigabytes of images, mostly the kernel's work
        forget = partial(shutil.rmtree, ignore_errors=True)
        list(pool.map(forget, (layout.folder(node) for node in layout.names)))
    shutil.rmtree(layout.state)


def _bring_up(layout: Layout, archives: list[Path]) -> None:
    layout.save()
    certificates.make(layout)
    for node in layout.names:
        power.on(layout, node)
    asking = waiting.Asking(layout)
    waiting.until("API server ready", lambda: asking.text("/readyz") == "ok", 120)
    everywhere = layout.workers
    waiting.until(f"{everywhere} nodes Ready", lambda: asking.ready_nodes() == everywhere, 180)
    account = "/api/v1/namespaces/default/serviceaccounts/default"
    waiting.until("default service account", lambda: asking.text(account), 60)
    loading.load_everywhere(layout, archives)
    kubectl = (str(binaries.kubectl()), f"--kubeconfig={layout.kubeconfig}")
    run(*kubectl, "apply", "-f", str(dns.write(layout)))
    waiting.until("cluster DNS ready", lambda: asking.ready_replicas("kube-system", "coredns"), 120)
    (layout.state / _CAME_UP).touch()


def _explain(layout: Layout) -> None:
    """The last words of each node, before they are cleared away."""
    for node in layout.names:
        folder = layout.folder(node)
        for log in [*sorted(folder.glob("disk/var/log/*.log")), folder / "init.log"]:
            last = attempt("tail", "-n", "3", str(log)).stdout
            print(f"{log}:\n{last}", file=sys.stderr)
