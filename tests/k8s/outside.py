"""What a fault leaves on a node, seen from outside: `ip`, `tc`, `nft`, /proc and cgroups.

Nodes are namespaces of this machine, so that they can be looked at while their API server, their
kubelet or their cable is away.
"""

import subprocess
from dataclasses import dataclass
from pathlib import Path

from devcluster import layout

_OURS = (b"harness.mechanisms.", b"harness.agent", b"--in-pod")
_LOOKS = ("ip -o link", "tc qdisc show", "nft list tables")


@dataclass(frozen=True)
class Node:
    """A worker of a cluster that we brought up."""

    cluster: str
    name: str

    @property
    def _cgroups(self):
        return Path("/sys/fs/cgroup/memory") / layout.load(self.cluster).link / self.name

    def network(self, uid):
        """Links, qdiscs and nft tables where that pod lives; nothing once it is gone."""
        pids = [pid for folder in self.pods([uid]) for pid in _below(folder)]
        return [line for look in _LOOKS for line in _inside(pids[0], look)] if pids else []

    def ours(self):
        """Processes of agents and mechanisms: pid and command."""
        found = {pid: read(pid, "cmdline") for pid in _below(self._cgroups)}
        return {pid: words for pid, words in found.items() if any(own in words for own in _OURS)}

    def agents(self):
        """(reapers, agents): what was executed in agents' pods, and their children."""
        found = {pid: parent(pid) for pid, words in self.ours().items() if b"--in-pod" in words}
        agents = [pid for pid, above in found.items() if above in found]
        return [pid for pid in found if pid not in agents], agents

    def pods(self, uids):
        """The cgroups of these pods."""
        return [p for p in self._cgroups.glob("**/*pod*") if any(uid in p.name for uid in uids)]


def read(pid, name):
    try:
        return Path(f"/proc/{pid}/{name}").read_bytes()
    except OSError:
        return b""


def parent(pid):
    return int((read(pid, "stat").rpartition(b") ")[2].split() or [0, 0])[1])


def _below(folder):
    return [int(pid) for procs in folder.glob("**/cgroup.procs") for pid in _lines(procs)]


def _lines(path):
    try:
        return path.read_text().split()
    except OSError:  # it ended meanwhile
        return []


def _inside(pid, look):
    there = ["nsenter", "-t", str(pid), "-n", *look.split()]
    done = subprocess.run(there, capture_output=True, text=True, check=False)
    return [line.strip() for line in done.stdout.splitlines()]
