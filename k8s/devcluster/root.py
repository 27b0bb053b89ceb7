"""A node's root: an overlay of this machine's, with its own disk, /run, /proc, /sys and cgroups.

All of it lives in the node's mount namespace: nothing shows in the machine's mount table, and all
is gone with the node's last process, but for what is on its disk.
"""

from __future__ import annotations

import socket
from pathlib import Path

from devcluster import cgroups, linux
from devcluster.layout import SOURCE, Layout, cache
from devcluster.shell import write

_DISK = ("/var/lib/kubelet", "/var/lib/containerd", "/var/lib/cni", "/var/lib/etcd", "/var/log")
# The kubelet would set these for the whole machine: it reads the values that it wants instead.
_PRIVATE_SETTINGS = {
    "vm/overcommit_memory": "1",
    "vm/panic_on_oom": "0",
    "kernel/panic": "10",
    "kernel/panic_on_oops": "1",
    "kernel/keys/root_maxkeys": "1000000",
    "kernel/keys/root_maxbytes": "25000000",
}
_FORWARDING = {
    "net/ipv4/ip_forward": "1",
    "net/bridge/bridge-nf-call-iptables": "1",
    "net/ipv4/conf/all/rp_filter": "0",
    "net/ipv4/conf/default/rp_filter": "0",
}


def enter(layout: Layout, node: str) -> None:
    """Make it, and make it this process's root. Called in the node's own namespaces."""
    linux.mount("none", "/", flags=linux.RECURSIVE | linux.PRIVATE)
    root = _overlay(layout.folder(node))
    _disk(layout.folder(node), root)
    for path in {SOURCE, cache()}:
        _bind(path, root)
    _kernel_views(root)
    linux.pivot_root(root)
    linux.mount("none", "/", flags=linux.RECURSIVE | linux.SHARED)
    _settings()
    _identity(layout, node)


def _overlay(folder: Path) -> Path:
    root, upper, work = (folder / name for name in ("root", "upper", "work"))
    for path in (root, upper, work):
        path.mkdir(exist_ok=True)
    linux.mount("overlay", root, "overlay", 0, f"lowerdir=/,upperdir={upper},workdir={work}")
    return root


def _disk(folder: Path, root: Path) -> None:
    """On a real file system: containerd's snapshots are overlays themselves."""
    for path in _DISK:
        own = folder / "disk" / path[1:]
        own.mkdir(parents=True, exist_ok=True)
        (root / path[1:]).mkdir(parents=True, exist_ok=True)
        linux.mount(own, root / path[1:], flags=linux.BIND)


def _bind(path: Path, root: Path) -> None:
    inside = root / path.relative_to("/")
    inside.mkdir(parents=True, exist_ok=True)
    linux.mount(path, inside, flags=linux.BIND)


def _kernel_views(root: Path) -> None:
    linux.mount("proc", root / "proc", "proc")
    linux.mount("sysfs", root / "sys", "sysfs")
    linux.mount("/dev", root / "dev", flags=linux.BIND | linux.RECURSIVE)
    linux.mount("run", root / "run", "tmpfs", options="mode=755")
    top = root / "sys/fs/cgroup"
    linux.mount("cgroup", top, "tmpfs", options="mode=755")
    for name in cgroups.hierarchies():
        (top / name).mkdir()
        linux.mount("cgroup", top / name, "cgroup", 0, _cgroup_options(name))


def _cgroup_options(name: str) -> str:
    return "none,name=systemd" if name == "systemd" else name


def _settings() -> None:
    for name, value in _PRIVATE_SETTINGS.items():
        own = write(Path("/run/devcluster/settings") / name, f"{value}\n")
        linux.mount(own, f"/proc/sys/{name}", flags=linux.BIND)
    for name, value in _FORWARDING.items():
        Path("/proc/sys", name).write_text(value, encoding="utf-8")


def _identity(layout: Layout, node: str) -> None:
    socket.sethostname(node)
    write(Path("/etc/hostname"), f"{node}\n")
    known = "".join(f"{layout.address(name)} {name}\n" for name in layout.names)
    write(Path("/etc/hosts"), f"127.0.0.1 localhost\n{known}")
    Path("/etc/resolv.conf").unlink(missing_ok=True)  # it may be a link
    write(Path("/etc/resolv.conf"), "# no name server outside of the cluster\n")
