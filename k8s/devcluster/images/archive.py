"""An image as the archive that `ctr images import` and `docker load` take."""

from __future__ import annotations

import hashlib
import io
import json
import os
import tarfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from devcluster.images.layer import Layer

_PATH = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin"
_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}


@dataclass(frozen=True)
class Image:
    """`layers`, lowest first; `command` is its entry point."""

    name: str
    layers: tuple[Layer, ...]
    command: tuple[str, ...]
    environment: dict[str, str] = field(default_factory=dict)

    @property
    def reference(self) -> str:
        return f"docker.io/library/{self.name}:latest"

    def key(self) -> str:
        parts = [
            *(layer.key() for layer in self.layers),
            repr((self.reference, self.command, self.environment)),
        ]
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:12]


def write(image: Image, path: Path) -> None:
    tars = [layer.tar() for layer in image.layers]
    digests = [hashlib.sha256(tar).hexdigest() for tar in tars]
    config = json.dumps(_config(image, digests)).encode()
    name = f"{hashlib.sha256(config).hexdigest()}.json"
    names = [f"{digest}.tar" for digest in digests]
    manifest = [{"Config": name, "RepoTags": [image.reference], "Layers": names}]
    fresh = path.with_suffix(f".{os.getpid()}")
    with tarfile.open(fresh, "w") as archive:
        for layer_name, tar in zip(names, tars, strict=True):
            _add(archive, layer_name, tar)
        _add(archive, name, config)
        _add(archive, "manifest.json", json.dumps(manifest).encode())
    fresh.rename(path)


def _config(image: Image, digests: list[str]) -> dict[str, Any]:
    environment = [_PATH, *(f"{name}={value}" for name, value in image.environment.items())]
    return {
        "architecture": _ARCHITECTURES[os.uname().machine],
        "os": "linux",
        "config": {"Entrypoint": list(image.command), "Env": environment, "WorkingDir": "/"},
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{digest}" for digest in digests]},
    }


def _add(archive: tarfile.TarFile, name: str, content: bytes) -> None:
    info = tarfile.TarInfo(name)
    info.size = len(content)
    archive.addfile(info, io.BytesIO(content))
