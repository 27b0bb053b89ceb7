"""Configuration files, written inside a node before its services start."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path
from typing import Any

from devcluster import certificates, services
from devcluster.layout import CONTROL_PLANE, SOURCE, Layout
from devcluster.shell import read, write

PAUSE_IMAGE = "docker.io/library/reliability-harness-pause:latest"
_NEVER = ("aufs", "btrfs", "devmapper", "zfs")
_SYS_RESOURCE = 24


def write_all(layout: Layout, node: str) -> None:
    if node == CONTROL_PLANE:
        put_json(services.AUDIT_POLICY, _audit_policy())
        return
    write(Path(services.CONTAINERD_CONFIG), _containerd())
    put_json("/etc/cni/net.d/10-devcluster.conflist", _network(layout, node))
    put_json(services.KUBELET_CONFIG, _kubelet(layout, node))
    put_json(services.PROXY_CONFIG, _proxy(layout, node))


def put_json(path: str, value: dict[str, Any]) -> None:
    write(Path(path), json.dumps(value, indent=1))


def runtime() -> str:
    """runc; behind a wrapper where this machine's root lacks CAP_SYS_RESOURCE."""
    status = read(Path("/proc/self/status"))
    bounding = int(status.partition("CapBnd:")[2].split()[0], 16)
    plain = shutil.which("runc", path="/usr/sbin:/usr/bin:/usr/local/sbin:/usr/local/bin") or "runc"
    return plain if bounding >> _SYS_RESOURCE & 1 else str(_wrapper(plain))


def _wrapper(runc: str) -> Path:
    """Only what asks for capabilities is looked at: a pod costs some twenty calls of a runtime."""
    text = f"""\
#!/bin/sh
case " $* " in
*" create "*|*" run "*|*" exec "*) ;;
*) exec {runc} "$@" ;;
esac
exec {sys.executable} -I -S {SOURCE}/oci_runtime.py {runc} "$@"
"""
    return write(Path("/usr/local/bin/devcluster-runc"), text, 0o755)


def _containerd() -> str:
    disabled = [f"io.containerd.snapshotter.v1.{name}" for name in _NEVER]
    return f"""version = 2
oom_score = 0
disabled_plugins = {json.dumps(disabled)}
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "{PAUSE_IMAGE}"
  restrict_oom_score_adj = true
  disable_apparmor = true
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "/usr/lib/cni"
    conf_dir = "/etc/cni/net.d"
  [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
    runtime_type = "io.containerd.runc.v2"
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
      BinaryName = "{runtime()}"
      SystemdCgroup = false
"""


def _network(layout: Layout, node: str) -> dict[str, Any]:
    addresses = {
        "type": "host-local",
        "ranges": [[{"subnet": layout.pods(node)}]],
        "routes": [{"dst": "0.0.0.0/0"}],
    }
    bridge = {
        "type": "bridge",
        "bridge": "cni0",
        "isGateway": True,
        "ipMasq": False,
        "hairpinMode": True,
        "ipam": addresses,
    }
    ports = {"type": "portmap", "capabilities": {"portMappings": True}}
    return {"cniVersion": "0.4.0", "name": "devcluster", "plugins": [bridge, ports]}


def _kubelet(layout: Layout, node: str) -> dict[str, Any]:
    """Failures are noticed sooner than Kubernetes' defaults would: tests wait for them."""
    pki = certificates.folder(layout)
    return {
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "cgroupDriver": "cgroupfs",
        "failSwapOn": False,
        "failCgroupV1": False,
        "containerRuntimeEndpoint": "unix:///run/containerd/containerd.sock",
        "clusterDomain": "cluster.local",
        "clusterDNS": [layout.dns],
        "resolvConf": "/etc/resolv.conf",
        "tlsCertFile": f"{pki}/{node}.crt",
        "tlsPrivateKeyFile": f"{pki}/{node}.key",
        "authentication": {
            "x509": {"clientCAFile": f"{pki}/ca.crt"},
            "webhook": {"enabled": True},
            "anonymous": {"enabled": False},
        },
        "authorization": {"mode": "Webhook"},
        "oomScoreAdj": _oom_score(),
        "maxOpenFiles": 20000,
        "imageGCHighThresholdPercent": 100,
        "evictionHard": {
            "memory.available": "100Mi",
            "nodefs.available": "0%",
            "imagefs.available": "0%",
            "nodefs.inodesFree": "0%",
        },
        "volumeStatsAggPeriod": "0s",
        "nodeStatusUpdateFrequency": "2s",
        "nodeStatusReportFrequency": "2s",
        "nodeLeaseDurationSeconds": 8,
        "featureGates": {"KubeletCrashLoopBackOffMax": True},
        "crashLoopBackOff": {"maxContainerRestartPeriod": "2s"},
    }


def _proxy(layout: Layout, node: str) -> dict[str, Any]:
    """The machine's connection table is not this node's to size: zeros leave it alone."""
    return {
        "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
        "kind": "KubeProxyConfiguration",
        "mode": "iptables",
        "hostnameOverride": node,
        "clusterCIDR": "198.19.0.0/16",
        "clientConnection": {"kubeconfig": f"{certificates.folder(layout)}/kube-proxy.conf"},
        "conntrack": {
            "maxPerCore": 0,
            "min": 0,
            "tcpEstablishedTimeout": "0s",
            "tcpCloseWaitTimeout": "0s",
        },
        "healthzBindAddress": "0.0.0.0:10256",
        "oomScoreAdj": _oom_score(),
    }


def _audit_policy() -> dict[str, Any]:
    """Who did what, without the bodies, and without what the components say among themselves."""
    quiet = {"level": "None", "userGroups": ["system:nodes"]}
    components = {"level": "None", "users": [f"system:{name}" for name in _COMPONENTS]}
    return {
        "apiVersion": "audit.k8s.io/v1",
        "kind": "Policy",
        "omitStages": ["RequestReceived"],
        "rules": [quiet, components, {"level": "Metadata"}],
    }


_COMPONENTS = ("apiserver", "kube-controller-manager", "kube-scheduler", "kube-proxy")


def _oom_score() -> int:
    """Lowering it is a privilege that this machine's root may lack."""
    return int(Path("/proc/self/oom_score_adj").read_text(encoding="utf-8"))
