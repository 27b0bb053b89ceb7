"""Finds pods on a node by cgroup and /proc alone, whatever container runtime there is.

Every process of a pod lives in a cgroup whose path holds the pod's uid:
`kubepods/burstable/podUID/ID` with the cgroupfs driver, and with systemd's
`kubepods-burstable-podU_I_D.slice/cri-containerd-ID.scope` (`crio-ID`, `docker-ID`). A resource
names its pod by `netns="pod:UID"`; `located` puts the path of the network namespace in its place.
Caveat: static pods have another uid in their cgroup than the API tells, so they are not found.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Callable, Dict, List, Optional, Tuple

from harness.agent.protocol import TargetGone

MARK = "pod:"
_OWN = "/proc/self/ns/net"
#: What the process is called that holds a pod's namespaces and does nothing else.
_SANDBOX = "pause"


@dataclass(frozen=True)
class Member:
    """A process of a pod. `start` as in /proc/PID/stat, `container` its cgroup's last part."""

    pid: int
    start: int
    command: str
    container: str


_holders: Dict[str, Member] = {}
#: This process lives in the pod that its resources name, and sees no other process of it.
inside = False


def located(resource: Any) -> Any:
    """The resource as mechanisms know it. Raises `TargetGone` when no process of the pod lives."""
    netns = getattr(resource, "netns", "")
    if not netns.startswith(MARK):
        return resource
    uid = netns[len(MARK) :]
    if inside:
        return dataclasses.replace(resource, netns=_OWN)
    holder = _holder(uid)
    if holder is None:
        raise TargetGone(f"{resource.target} is not on this node (any more)")
    changed = {"netns": f"/proc/{holder.pid}/ns/net"}
    if hasattr(resource, "pod"):
        changed["pod"] = uid
    return dataclasses.replace(resource, **changed)


def _holder(uid: str) -> Optional[Member]:
    """The oldest process of the pod, which has its namespaces. Found once: to look for it costs a
    tenth of a millisecond for each process of the node."""
    known = _holders.get(uid)
    if known is None or _member_of(uid)(known.pid) != known:
        known = next(iter(members(uid)), None)
        if known is not None:
            _holders[uid] = known
    return known


def members(uid: str) -> Tuple[Member, ...]:
    """Every living process of the pod, the oldest first: its sandbox, where there is one."""
    found = [m for m in map(_member_of(uid), _pids()) if m is not None]
    return tuple(sorted(found, key=lambda member: (member.start, member.pid)))


def inhabitants(uid: str) -> Tuple[Member, ...]:
    """The processes that people mean: all but the sandbox."""
    first, *others = members(uid) or (Member(0, 0, "", ""),)
    return tuple(others) if first.command == _SANDBOX or not first.pid else (first, *others)


def container_in(cgroups: str, uid: str) -> str:
    """The container that /proc/PID/cgroup tells, if it is one of the pod; else empty."""
    for line in cgroups.splitlines():
        path = line.rpartition(":")[2]
        for name in (uid, uid.replace("-", "_")):
            _, found, rest = path.partition(name)
            if found:
                return rest.rpartition("/")[2] or name
    return ""


def _member_of(uid: str) -> Callable[[int], Optional[Member]]:
    def member(pid: int) -> Optional[Member]:
        try:
            container = container_in(Path(f"/proc/{pid}/cgroup").read_text(), uid)
            stat = Path(f"/proc/{pid}/stat").read_text(errors="replace") if container else ""
        except OSError:
            return None
        fields = stat.rpartition(") ")[2].split()
        if not fields or fields[0] in "ZX":
            return None
        command = stat[stat.index("(") + 1 : stat.rindex(")")]
        return Member(pid, int(fields[19]), command, container)

    return member


def _pids() -> List[int]:
    return [int(path.name) for path in Path("/proc").iterdir() if path.name.isdigit()]
