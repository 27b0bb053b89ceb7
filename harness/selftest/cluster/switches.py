"""Power, cables and services of a cluster of our own: the commands of `k8s/devcluster`.

The System file names its switch, as for `node.down`: where that is devcluster's, all others are
beside it.
"""

from __future__ import annotations

import shlex
import subprocess
from dataclasses import dataclass

from harness.errors import Refused
from harness.experiment.system_model import Cluster

_PROGRAM, _OFF = "devcluster", ["poweroff", "{node}"]
_SWITCH_S = 60.0
NO_SWITCHES = "the System file names no power switch of k8s/devcluster"


@dataclass(frozen=True)
class Switches:
    """`words` come before each of its commands; it runs in `directory`."""

    words: tuple[str, ...]
    directory: str

    def __call__(self, *command: str) -> None:
        """Raises `Refused` when it does not switch."""
        done = subprocess.run(
            [*self.words, *command], cwd=self.directory, capture_output=True, text=True,
            timeout=_SWITCH_S, check=False, stdin=subprocess.DEVNULL,
        )  # fmt: skip
        if done.returncode:
            raise Refused(f"{shlex.join([*self.words, *command])}: {done.stderr.strip()}")

    def inside(self, node: str, *command: str) -> tuple[str, ...]:
        """What runs a command in the namespaces of a node."""
        return (*self.words, "exec", node, *command)


def switches_of(cluster: Cluster) -> Switches | None:
    """None where the cluster is not one of ours."""
    words = shlex.split(cluster.power_off)
    if words[-2:] != _OFF or not any(word.endswith(_PROGRAM) for word in words):
        return None
    return Switches(tuple(words[:-2]), cluster.power_at)
