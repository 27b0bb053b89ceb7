"""Power of nodes, by commands that the System file names: whoever can switch them off knows how.

While a node is off, a process of its own stands by: when the harness ends without having switched
it on again, however it ends, that process does.
"""

from __future__ import annotations

import shlex
import subprocess
import sys
from dataclasses import dataclass, field

from harness.capabilities import HandsError

_SWITCH_S = 60.0


@dataclass
class Power:
    """`{node}` in the commands is the node's name; both empty: there is no switch."""

    off_command: str = ""
    on_command: str = ""
    directory: str = ""
    _guards: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    @property
    def missing(self) -> str:
        if self.off_command and self.on_command:
            return ""
        return "the System file names no switch (kubernetes.power: {cut: …, restore: …})"

    def off(self, node: str) -> None:
        """The guard first, then the switch."""
        if self.missing:
            raise HandsError(f"node/{node}: {self.missing}")
        if node not in self._guards:
            self._guards[node] = self._guard(node)
        self._run(self.off_command, node)

    def on(self, node: str) -> None:
        if self.missing:
            raise HandsError(f"node/{node} is without power, and {self.missing}")
        self._run(self.on_command, node)

    def settled(self, node: str, *, held: bool) -> None:
        """Without an effect nobody needs to stand by."""
        guard = None if held else self._guards.pop(node, None)
        if guard is not None and guard.stdin is not None:
            guard.stdin.write(b"done\n")
            guard.stdin.close()
            guard.wait(_SWITCH_S)

    def _guard(self, node: str) -> subprocess.Popen[bytes]:
        command = self._command(self.on_command, node)
        return subprocess.Popen(
            [sys.executable, "-P", "-m", "harness.substrates.kubernetes.switch", *command],
            stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            cwd=self.directory, start_new_session=True,
        )  # fmt: skip

    def _run(self, command: str, node: str) -> None:
        argv = self._command(command, node)
        try:
            done = subprocess.run(
                argv, cwd=self.directory, capture_output=True, text=True, timeout=_SWITCH_S,
                check=False, stdin=subprocess.DEVNULL,
            )  # fmt: skip
        except (OSError, subprocess.TimeoutExpired) as error:
            raise HandsError(f"{shlex.join(argv)}: {error}") from None
        if done.returncode:
            said = (done.stderr or done.stdout).strip().splitlines()[-1:]
            raise HandsError(f"{shlex.join(argv)} ended with {done.returncode}: {' '.join(said)}")

    @staticmethod
    def _command(command: str, node: str) -> list[str]:
        return [word.replace("{node}", node) for word in shlex.split(command)]
