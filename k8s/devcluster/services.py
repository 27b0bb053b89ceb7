"""What runs on each node, by name and in order of start."""

from __future__ import annotations

from pathlib import Path

from devcluster import binaries, certificates
from devcluster.layout import CONTROL_PLANE, Layout

CONTAINERD_CONFIG = "/etc/containerd/config.toml"
KUBELET_CONFIG = "/etc/kubelet.json"
PROXY_CONFIG = "/etc/kube-proxy.json"
AUDIT_POLICY = "/etc/audit-policy.json"
AUDIT_LOG = "/var/log/audit.log"


def of(layout: Layout, node: str) -> dict[str, list[str]]:
    commands = _control_plane(layout) if node == CONTROL_PLANE else _worker(layout, node)
    folder = binaries.kubernetes_folder()
    return {name: _placed(folder, name, words) for name, words in commands.items()}


def _placed(folder: Path, name: str, words: list[str]) -> list[str]:
    program = folder / name
    return [str(program) if program.exists() else name, *words]


def _control_plane(layout: Layout) -> dict[str, list[str]]:
    return {
        "etcd": _etcd(),
        "kube-apiserver": _apiserver(layout),
        "kube-controller-manager": _controller_manager(layout),
        "kube-scheduler": _scheduler(layout),
    }


def _etcd() -> list[str]:
    """`--unsafe-no-fsync`: what it knows may go when the machine does, and so may the cluster."""
    client, peer = "http://127.0.0.1:2379", "http://127.0.0.1:2380"
    return [
        "--name=cp",
        "--data-dir=/var/lib/etcd",
        f"--listen-client-urls={client}",
        f"--advertise-client-urls={client}",
        f"--listen-peer-urls={peer}",
        f"--initial-advertise-peer-urls={peer}",
        f"--initial-cluster=cp={peer}",
        "--unsafe-no-fsync",
        "--log-level=warn",
    ]


def _apiserver(layout: Layout) -> list[str]:
    pki = certificates.folder(layout)
    return [
        "--etcd-servers=http://127.0.0.1:2379",
        "--bind-address=0.0.0.0",
        f"--advertise-address={layout.address(CONTROL_PLANE)}",
        f"--service-cluster-ip-range={layout.services}",
        f"--client-ca-file={pki}/ca.crt",
        f"--tls-cert-file={pki}/apiserver.crt",
        f"--tls-private-key-file={pki}/apiserver.key",
        f"--kubelet-client-certificate={pki}/apiserver-kubelet.crt",
        f"--kubelet-client-key={pki}/apiserver-kubelet.key",
        f"--kubelet-certificate-authority={pki}/ca.crt",
        "--kubelet-preferred-address-types=InternalIP",
        "--service-account-issuer=https://kubernetes.default.svc.cluster.local",
        f"--service-account-key-file={pki}/sa.pub",
        f"--service-account-signing-key-file={pki}/sa.key",
        "--authorization-mode=Node,RBAC",
        "--enable-admission-plugins=NodeRestriction",
        "--allow-privileged=true",
        f"--requestheader-client-ca-file={pki}/front-ca.crt",
        "--requestheader-allowed-names=front-proxy-client",
        "--requestheader-username-headers=X-Remote-User",
        "--requestheader-group-headers=X-Remote-Group",
        "--requestheader-extra-headers-prefix=X-Remote-Extra-",
        f"--proxy-client-cert-file={pki}/front-proxy.crt",
        f"--proxy-client-key-file={pki}/front-proxy.key",
        "--enable-aggregator-routing=true",
        "--profiling=false",
        f"--audit-policy-file={AUDIT_POLICY}",
        f"--audit-log-path={AUDIT_LOG}",
        "--default-not-ready-toleration-seconds=10",
        "--default-unreachable-toleration-seconds=10",
    ]


def _controller_manager(layout: Layout) -> list[str]:
    """Its default limit of 20 requests a second delays the first service accounts by 5 s."""
    pki = certificates.folder(layout)
    return [
        f"--kubeconfig={pki}/kube-controller-manager.conf",
        f"--root-ca-file={pki}/ca.crt",
        f"--service-account-private-key-file={pki}/sa.key",
        f"--cluster-signing-cert-file={pki}/ca.crt",
        f"--cluster-signing-key-file={pki}/ca.key",
        "--use-service-account-credentials=true",
        "--allocate-node-cidrs=false",
        "--node-monitor-period=2s",
        f"--node-monitor-grace-period={'3600s' if layout.patient else '12s'}",
        *_ALONE,
    ]


def _scheduler(layout: Layout) -> list[str]:
    return [f"--kubeconfig={certificates.folder(layout)}/kube-scheduler.conf", *_ALONE]


_ALONE = ("--leader-elect=false", "--profiling=false", "--kube-api-qps=200", "--kube-api-burst=400")


def _worker(layout: Layout, node: str) -> dict[str, list[str]]:
    labels = (
        f"topology.kubernetes.io/zone={layout.zone(node)}",
        "topology.kubernetes.io/region=r1",
    )
    kubelet = [
        f"--config={KUBELET_CONFIG}",
        f"--kubeconfig={certificates.folder(layout)}/{node}.conf",
        f"--hostname-override={node}",
        f"--node-ip={layout.address(node)}",
        f"--node-labels={','.join(labels)}",
    ]
    return {
        "containerd": ["--config", CONTAINERD_CONFIG],
        "kubelet": kubelet,
        "kube-proxy": [f"--config={PROXY_CONFIG}"],
    }
