"""Keys, certificates and kubeconfigs, by openssl; elliptic curves, 10 ms each."""

from __future__ import annotations

import base64
import json
from pathlib import Path

from devcluster.layout import CONTROL_PLANE, Layout
from devcluster.shell import run, write

_NAMES = (
    "DNS:localhost,DNS:kubernetes,DNS:kubernetes.default,DNS:kubernetes.default.svc,"
    "DNS:kubernetes.default.svc.cluster.local,IP:127.0.0.1"
)


def make(layout: Layout) -> None:
    pki = folder(layout)
    pki.mkdir(parents=True)
    _authority(pki, "ca", "/CN=devcluster")
    _authority(pki, "front-ca", "/CN=front-proxy-ca")
    _certificate(pki, "front-proxy", "/CN=front-proxy-client", authority="front-ca")
    names = f"{_NAMES},IP:{layout.address(CONTROL_PLANE)},IP:{layout.api_service}"
    _certificate(pki, "apiserver", "/CN=kube-apiserver", names)
    _certificate(pki, "apiserver-kubelet", "/O=system:masters/CN=apiserver-kubelet-client")
    _service_account_key(pki)
    _certificate(pki, "admin", "/O=system:masters/CN=admin")
    _kubeconfig(layout, "admin", layout.kubeconfig)
    for name in ("kube-controller-manager", "kube-scheduler", "kube-proxy"):
        _certificate(pki, name, f"/CN=system:{name}")
        _kubeconfig(layout, name, pki / f"{name}.conf")
    for node in layout.worker_names:
        names = f"DNS:{node},IP:{layout.address(node)}"
        _certificate(pki, node, f"/O=system:nodes/CN=system:node:{node}", names)
        _kubeconfig(layout, node, pki / f"{node}.conf")


def folder(layout: Layout) -> Path:
    return layout.state / "pki"


def _authority(pki: Path, name: str, subject: str) -> None:
    usage = "keyUsage=critical,keyCertSign,cRLSign,digitalSignature"
    run(*_request(pki, name, subject), "-addext", usage)


def _certificate(
    pki: Path, name: str, subject: str, names: str = "", authority: str = "ca"
) -> None:
    extensions = [
        "basicConstraints=critical,CA:FALSE",
        "keyUsage=critical,digitalSignature,keyEncipherment",
        "extendedKeyUsage=serverAuth,clientAuth",
    ]
    if names:
        extensions.append(f"subjectAltName={names}")
    signed = ["-CA", f"{pki}/{authority}.crt", "-CAkey", f"{pki}/{authority}.key"]
    options = [word for extension in extensions for word in ("-addext", extension)]
    run(*_request(pki, name, subject), *signed, *options)


def _request(pki: Path, name: str, subject: str) -> list[str]:
    curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
    out = ["-keyout", f"{pki}/{name}.key", "-out", f"{pki}/{name}.crt"]
    return ["openssl", "req", "-x509", *curve, "-days", "365", *out, "-subj", subject]


def _service_account_key(pki: Path) -> None:
    key = f"{pki}/sa.key"
    size = ("-pkeyopt", "rsa_keygen_bits:2048")
    run("openssl", "genpkey", "-algorithm", "RSA", *size, "-out", key)
    run("openssl", "pkey", "-in", key, "-pubout", "-out", f"{pki}/sa.pub")


def _kubeconfig(layout: Layout, user: str, path: Path) -> None:
    pki, name = folder(layout), f"devcluster-{layout.name}"
    server = {"server": layout.api, "certificate-authority-data": _inline(pki / "ca.crt")}
    keys = {
        "client-certificate-data": _inline(pki / f"{user}.crt"),
        "client-key-data": _inline(pki / f"{user}.key"),
    }
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": name,
        "clusters": [{"name": name, "cluster": server}],
        "users": [{"name": user, "user": keys}],
        "contexts": [{"name": name, "context": {"cluster": name, "user": user}}],
    }
    write(path, json.dumps(config, indent=1), 0o600)


def _inline(path: Path) -> str:
    return base64.b64encode(path.read_bytes()).decode()
