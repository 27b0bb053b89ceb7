"""The real Toxiproxy and its clients, built in a cache outside the repository."""

from __future__ import annotations

import fcntl
import functools
import os
import shutil
import subprocess
from pathlib import Path

import pytest

VERSION = "2.12.0"
_MODULE = "github.com/Shopify/toxiproxy/v2"
_NODE_CLIENT = "toxiproxy-node-client@4.1.0"
_CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "harness-tests"
_BUILD_S = 600


@functools.cache
def server() -> Path:
    """Path of `toxiproxy-server`; skips the test where it cannot be built."""
    return _built("toxiproxy-server", f"{_MODULE}/cmd/server", "")


@functools.cache
def go_client(source: Path) -> Path:
    """A program that uses the module's Go client, built."""
    return _built(source.stem, "", source.read_text())


def _built(name: str, package: str, main: str) -> Path:
    if shutil.which("go") is None:
        pytest.skip("no Go: the real Toxiproxy cannot be built")
    where = _CACHE / f"toxiproxy-{VERSION}" / name
    built = where / name
    where.mkdir(parents=True, exist_ok=True)
    with (where / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        source = where / "main.go"
        if not built.exists() or (main and source.read_text() != main):
            if main:
                source.write_text(main)
            (where / "go.mod").write_text(
                f"module built\n\ngo 1.24.0\n\nrequire {_MODULE} v{VERSION}\n"
            )
            version = f"-X {_MODULE}.Version={VERSION}"
            _go(where, "build", "-buildvcs=false", "-ldflags", version, "-o", name, package or ".")
    return built


def _go(where: Path, *argv: str) -> None:
    environment = {**os.environ, "GOFLAGS": "-mod=mod", "CGO_ENABLED": "0"}
    done = subprocess.run(
        ["go", *argv], cwd=where, env=environment, capture_output=True, text=True,
        timeout=_BUILD_S, check=False,
    )  # fmt: skip
    if done.returncode:
        pytest.skip(f"the real Toxiproxy cannot be built: go {argv[0]}: {done.stderr[-500:]}")


@functools.cache
def node_client() -> Path:
    """A directory with the npm package in its `node_modules`."""
    if shutil.which("npm") is None or shutil.which("node") is None:
        pytest.skip("no node: toxiproxy-node-client cannot be tried")
    where = _CACHE / "node"
    where.mkdir(parents=True, exist_ok=True)
    with (where / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (where / "node_modules" / "toxiproxy-node-client").exists():
            argv = [
                "npm",
                "install",
                "--no-audit",
                "--no-fund",
                "--prefix",
                str(where),
                _NODE_CLIENT,
            ]
            done = subprocess.run(argv, capture_output=True, text=True, timeout=300, check=False)
            if done.returncode:
                pytest.skip(f"toxiproxy-node-client cannot be installed: {done.stderr[-500:]}")
    return where
