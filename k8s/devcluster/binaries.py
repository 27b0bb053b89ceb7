"""Programs from Go modules: built once, kept under the hash of what they are made of."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from devcluster.layout import SOURCE, Failed, cache

KUBERNETES = "v1.34.4"
_COMPONENTS = (
    "kube-apiserver", "kube-controller-manager", "kube-scheduler",
    "kubelet", "kube-proxy", "kubectl", "etcd",
)  # fmt: skip
_BUILD_S = 1200


@dataclass(frozen=True)
class Program:
    """`package` is what to build in the module's folder; `stamp` are linker flags."""

    name: str
    package: str = "."
    stamp: str = ""
    links: tuple[str, ...] = ()

    @property
    def source(self) -> Path:
        return SOURCE / "go" / self.name

    @property
    def folder(self) -> Path:
        return cache() / "bin" / f"{self.name}-{self._key()}"

    @property
    def path(self) -> Path:
        return self.folder / self.name

    def _key(self) -> str:
        digest = hashlib.sha256(f"{self.package} {self.stamp} {self.links}".encode())
        for name in ("go.mod", "go.sum", "main.go", "tools.go"):
            if (self.source / name).exists():
                digest.update((self.source / name).read_bytes())
        return digest.hexdigest()[:12]


def _version_stamp() -> str:
    major, minor = KUBERNETES.removeprefix("v").split(".")[:2]
    facts = {
        "gitVersion": KUBERNETES,
        "gitMajor": major,
        "gitMinor": minor,
        "gitTreeState": "clean",
        "buildDate": "2026-01-01T00:00:00Z",
    }
    packages = ("k8s.io/component-base/version", "k8s.io/client-go/pkg/version")
    return " ".join(f"-X {p}.{name}={value}" for p in packages for name, value in facts.items())


CLUSTER = Program("k8s", stamp=_version_stamp(), links=_COMPONENTS)
COREDNS = Program("coredns")
PAUSE = Program("pause")
KWOK = Program("kwok", "sigs.k8s.io/kwok/cmd/kwok", "-X sigs.k8s.io/kwok/pkg/consts.Version=v0.7.0")


def kubernetes_folder() -> Path:
    return CLUSTER.folder


def kubectl() -> Path:
    return CLUSTER.folder / "kubectl"


def ensure(*programs: Program) -> None:
    """Build what is missing. Raises `Failed` without Go, or with the compiler's last words."""
    for program in programs:
        if not program.path.exists():
            _build(program)


def _build(program: Program) -> None:
    if not shutil.which("go"):
        raise Failed("Go is missing: the cluster is built from Go modules (go 1.24 or later)")
    program.folder.parent.mkdir(parents=True, exist_ok=True)
    begun = time.monotonic()
    print(f"building {program.name} from Go modules ...", file=sys.stderr, flush=True)
    fresh = program.folder.with_name(f"{program.folder.name}.{os.getpid()}")
    fresh.mkdir()
    try:
        _compile(program, fresh / program.name)
        for link in program.links:
            (fresh / link).symlink_to(program.name)
        _settle(fresh, program.folder)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
    print(f"built {program.name} in {time.monotonic() - begun:.0f} s", file=sys.stderr, flush=True)


def _compile(program: Program, out: Path) -> None:
    """Less garbage collection makes the compiler a tenth faster; nobody reads the symbols."""
    command = [
        "go", "build", "-mod=mod", "-trimpath", "-buildvcs=false", "-gcflags=all=-dwarf=false",
        "-tags", "no_btrfs,no_zfs,no_devmapper",
        "-ldflags", f"-s -w {program.stamp}", "-o", str(out), program.package,
    ]  # fmt: skip
    environment = {**os.environ, "CGO_ENABLED": "0", "GOTOOLCHAIN": "local", "GOGC": "400"}
    environment |= {"GOFLAGS": ""}
    done = subprocess.run(
        command, cwd=program.source, env=environment, check=False, capture_output=True, text=True,
        timeout=_BUILD_S,
    )  # fmt: skip
    if done.returncode:
        last = "\n".join(done.stderr.strip().splitlines()[-10:])
        raise Failed(f"{program.name} could not be built:\n{last}")


def _settle(fresh: Path, folder: Path) -> None:
    try:
        fresh.rename(folder)
    except OSError:
        if not folder.exists():  # somebody else built the same meanwhile
            raise
