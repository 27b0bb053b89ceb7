"""The supervisor's process from the harness's side, and processes that it spawns for us."""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from harness.errors import NotReady, Refused
from harness.substrates.local import channel

_START_S = 20.0
_END_S = 5.0


class Spec(Protocol):
    """What a supervisor is told: one line of JSON."""

    @property
    def name(self) -> str: ...

    def to_json(self) -> str: ...


class Supervisor:
    """Started from the main thread: the kernel ends it when that thread ends."""

    def __init__(
        self, spec: Spec, log: Path, module: str = "harness.substrates.local.supervisor"
    ) -> None:
        if threading.current_thread() is not threading.main_thread():
            raise Refused("a world is started from the main thread, with which it ends")
        self.name = spec.name
        with log.open("ab") as errors:
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-m", module, str(os.getpid())],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors,
                start_new_session=True,  # Ctrl-C is the harness's business first
            )  # fmt: skip
        try:
            self._greet(spec, log)
        except BaseException:
            self.close()
            raise

    def _greet(self, spec: Spec, log: Path) -> None:
        assert self._process.stdin
        assert self._process.stdout
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.write(spec.to_json().encode() + b"\n")
            self._process.stdin.flush()
        if not select.select([self._process.stdout], [], [], _START_S)[0]:
            raise NotReady(f"the world did not start within {_START_S:g} s", where=str(log))
        line = self._process.stdout.readline()
        if not line:
            raise NotReady("the world ended while it started", where=str(log))
        answer = json.loads(line)
        if "error" in answer:
            raise NotReady(f"the world cannot be made: {answer['error']}", where=str(log))

    @property
    def alive(self) -> bool:
        return self._process.poll() is None

    def close(self) -> None:
        """End the world and everything in it. Twice is fine."""
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe:
                with contextlib.suppress(OSError):
                    pipe.close()
        try:
            self._process.wait(_END_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait(_END_S)


@dataclass(frozen=True)
class Asked:
    """A process to spawn: on which host (empty: the supervisor's own network), as ourselves or as a
    `service`: then an ordinary user, with the environment and directory of the host's process."""

    host: str
    argv: Sequence[str]
    cwd: str = ""
    env: Mapping[str, str] = field(default_factory=dict)
    service: bool = False


class WorldChild:
    """A process in a world, tied to a connection. `pid` is as seen in the world.

    Any thread may ask; one reads, the others wait for it no longer than they would for the end.
    """

    def __init__(self, connection: socket.socket, pid: int) -> None:
        self.pid = pid
        self._connection = connection
        self._status: int | None = None
        self._reading = threading.Lock()

    def poll(self) -> int | None:
        return self.wait(0.0)

    def wait(self, timeout_s: float | None) -> int | None:
        """Its exit status (negative: the signal), None when it still runs after that time."""
        patience = -1.0 if timeout_s is None else timeout_s
        if self._status is None and self._reading.acquire(timeout=patience):
            try:
                self._wait(timeout_s)
            finally:
                self._reading.release()
        return self._status

    def _wait(self, timeout_s: float | None) -> None:
        if self._status is None:  # nobody else has read it meanwhile
            self._connection.settimeout(timeout_s)
            with contextlib.suppress(BlockingIOError, TimeoutError):
                self._status = self._read_status()

    def _read_status(self) -> int:
        """A connection that ended without a status: the world is gone and killed it."""
        try:
            message = channel.receive(self._connection)
        except ConnectionError:
            message = None
        self._connection.close()
        return int(message.fields["exited"]) if message else -signal.SIGKILL

    def send(self, number: int) -> None:
        """Send a signal to it and its children."""
        if self._status is None:
            self._connection.settimeout(1.0)
            with contextlib.suppress(OSError):
                channel.send(self._connection, {"signal": number})

    def terminate(self) -> None:
        """SIGTERM, and SIGKILL when it does not end."""
        self.send(signal.SIGTERM)
        if self.wait(_END_S) is None:
            self.send(signal.SIGKILL)
            self.wait(_END_S)


def spawn(world: str, asked: Asked, stdio: Sequence[int]) -> WorldChild:
    """Start it with these descriptors as its stdin, stdout and stderr. Raises ChannelError."""
    connection, answer = channel.open_request(
        world, "spawn", stdio, host=asked.host, argv=list(asked.argv), cwd=asked.cwd,
        env=dict(asked.env), user="service" if asked.service else "world",
    )  # fmt: skip
    return WorldChild(connection, answer.fields["pid"])


def spawn_logged(
    world: str, host: str, argv: Sequence[str], log: Path, env: Mapping[str, str]
) -> WorldChild:
    """A process of ours whose output goes into a file."""
    asked = Asked(host, argv, str(Path.cwd()), env)
    with log.open("ab") as out, Path(os.devnull).open("rb") as nothing:
        return spawn(world, asked, (nothing.fileno(), out.fileno(), out.fileno()))
