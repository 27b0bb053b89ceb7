"""The supervisor's loop: waits for requests, for children that end, and for its own end.

One thread, nothing in it blocks. It answers the operations of `channel`:

    spawn      start a process that is no replica on a host, with the descriptors that came along
    start      a replica, the first time            restart    a replica: stop it and start it again
    processes  of a replica                         socket     one of a host, for a probe from there
    status     of all replicas                      troubles   what ended by itself since last asked
"""

from __future__ import annotations

import contextlib
import os
import selectors
import signal
import socket
import sys
import time
import traceback
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from harness.agent.effects import encode
from harness.substrates.local import channel, processes
from harness.substrates.local.ground import Ground, Start
from harness.substrates.local.replica import Replica
from harness.substrates.local.spec import Command

_TICK_S = 0.02
_GRACE_S = 5.0
_SEND_TIMEOUT_S = 1.0

Answer = dict[str, Any]


class Guest:
    """A spawned process that is not a replica's, tied to the connection that asked for it."""

    def __init__(self, pid: int, connection: socket.socket) -> None:
        self.pid = pid
        self.connection = connection
        self.kill_at = 0.0

    def end(self) -> None:
        """Nobody waits for it any more."""
        self.signal(signal.SIGTERM)
        self.kill_at = time.monotonic() + _GRACE_S

    def signal(self, number: int) -> None:
        """To it and its children: it leads a process group."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, number)


class Loop:
    def __init__(
        self, commands: Sequence[Command], ground: Ground, listener: socket.socket,
        ends: Sequence[int],
    ) -> None:  # fmt: skip
        self._ground = ground
        self._listener = listener
        self._troubles: list[str] = []
        self._guests: dict[int, Guest] = {}
        self._commands = {command.host: command for command in commands}
        self._replicas = {c.host: Replica(c, ground, self._troubles.append) for c in commands}
        self._over = False
        self._selector = selectors.DefaultSelector()
        for end in ends:
            self._selector.register(end, selectors.EVENT_READ, self._end)
        self._selector.register(listener, selectors.EVENT_READ, self._accept)
        self._listen_for_children()

    def run(self) -> None:
        """Until the harness is gone."""
        while not self._over:
            for key, _ in self._selector.select(self._pause_s()):
                key.data()
            self._reap()
            self._advance()

    # ------------------------------------------------------------ life and death

    def _end(self) -> None:
        """The harness says nothing after its first line, so this is the end of its pipe."""
        self._over = True

    def _listen_for_children(self) -> None:
        self._woken, waker = socket.socketpair()
        for end in (self._woken, waker):
            end.setblocking(False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(waker.detach(), warn_on_full_buffer=False)
        self._selector.register(self._woken, selectors.EVENT_READ, lambda: self._woken.recv(4096))

    def _reap(self) -> None:
        ended = list(processes.ended_children())
        for pid, status in ended:
            self._ended(pid, status)
        if ended:
            self._ground.tend({*self._guests, *(r.main for r in self._replicas.values())})

    def _ended(self, pid: int, status: int) -> None:
        guest = self._guests.pop(pid, None)
        mains = [replica for replica in self._replicas.values() if replica.main == pid]
        if guest:
            _send(guest.connection, {"exited": os.waitstatus_to_exitcode(status)})
            self._hang_up(guest.connection)
        elif mains:
            mains[0].ended(status)
        elif told := self._ground.ended(pid):
            self._troubles.append(told)

    def _advance(self) -> None:
        for replica in self._replicas.values():
            replica.advance()
        for guest in self._guests.values():
            if guest.kill_at and time.monotonic() >= guest.kill_at:
                guest.signal(signal.SIGKILL)

    def _pause_s(self) -> float | None:
        busy = any(replica.busy for replica in self._replicas.values())
        return _TICK_S if busy or any(g.kill_at for g in self._guests.values()) else None

    # ------------------------------------------------------------ requests

    def _accept(self) -> None:
        connection, _ = self._listener.accept()
        connection.settimeout(_SEND_TIMEOUT_S)
        if not channel.is_owner(connection):
            connection.close()
            return
        self._selector.register(
            connection, selectors.EVENT_READ, partial(self._first_message, connection)
        )

    def _first_message(self, connection: socket.socket) -> None:
        """The request. A broken one is answered and costs its connection, never the world."""
        try:
            message = channel.receive(connection)
        except (OSError, ValueError):
            message = None
        if message is None:
            self._hang_up(connection)
            return
        try:
            self._operations()[message.fields["op"]](connection, message)
        except Exception as error:
            traceback.print_exc(file=sys.stderr)
            _send(connection, {"error": f"{error}" or type(error).__name__})
            self._hang_up(connection)
        finally:
            for fd in message.fds:
                os.close(fd)

    def _operations(self) -> dict[str, Callable[[socket.socket, channel.Message], None]]:
        return {
            "spawn": self._spawn, "start": self._start, "restart": self._restart,
            "processes": self._processes, "socket": self._socket, "status": self._status,
            "troubles": self._tell_troubles,
        }  # fmt: skip

    def _spawn(self, connection: socket.socket, message: channel.Message) -> None:
        asked = message.fields
        stdin, stdout, stderr = message.fds
        host, service = self._known(asked["host"]), asked["user"] == "service"
        usual = self._usual(host) if service else None
        env = {**dict(usual.env if usual else ()), **asked["env"]}
        cwd = asked["cwd"] or (usual.cwd if usual else "/")
        stdio = (stdin, stdout, stderr)
        started = self._ground.start(Start(host, asked["argv"], env, cwd, service, stdio))
        guest = Guest(started, connection)
        self._guests[guest.pid] = guest
        self._selector.modify(connection, selectors.EVENT_READ, partial(self._guest_message, guest))
        _send(connection, {"pid": guest.pid})

    def _guest_message(self, guest: Guest) -> None:
        try:
            message = channel.receive(guest.connection)
        except (OSError, ValueError):
            message = None
        if message is None:
            self._selector.unregister(guest.connection)
            guest.end()
            return
        guest.signal(int(message.fields["signal"]))

    def _start(self, connection: socket.socket, message: channel.Message) -> None:
        replica = self._replica(message)
        if not replica.main:
            replica.start()
        self._reply(connection, {"pid": replica.main})

    def _restart(self, connection: socket.socket, message: channel.Message) -> None:
        replica = self._replica(message)
        old, met = replica.processes(), processes.callers(replica.main, message.fields["port"])

        def done() -> None:
            new = encode(replica.processes())
            self._reply(connection, {"gone": encode(old), "alive": new, "callers": met})

        replica.restart(float(message.fields["grace"]), done)

    def _processes(self, connection: socket.socket, message: channel.Message) -> None:
        replica = self._replica(message)
        self._reply(
            connection, {"alive": encode(replica.processes()), "state": replica.state.value}
        )

    def _socket(self, connection: socket.socket, message: channel.Message) -> None:
        with self._ground.socket(self._known(message.fields["host"])) as made:
            self._reply(connection, {}, (made.fileno(),))

    def _status(self, connection: socket.socket, _: channel.Message) -> None:
        states = {name: replica.state.value for name, replica in self._replicas.items()}
        self._reply(connection, {"replicas": states})

    def _tell_troubles(self, connection: socket.socket, _: channel.Message) -> None:
        told, self._troubles[:] = list(self._troubles), []
        self._reply(connection, {"troubles": told})

    # ------------------------------------------------------------ small things

    def _replica(self, message: channel.Message) -> Replica:
        name = message.fields["replica"]
        if name not in self._replicas:
            raise LookupError(f"no replica {name}; there are {', '.join(self._replicas)}")
        return self._replicas[name]

    def _usual(self, host: str) -> Command | None:
        """What a visitor's environment and directory are like: those of the host's own process."""
        return self._commands.get(host) or next(iter(self._commands.values()), None)

    def _known(self, host: str) -> str:
        hosts = self._ground.hosts
        if host not in hosts:
            raise LookupError(f"no host {host}; there are {', '.join(filter(None, hosts))}")
        return host

    def _reply(self, connection: socket.socket, fields: Answer, fds: Sequence[int] = ()) -> None:
        _send(connection, fields, fds)
        self._hang_up(connection)

    def _hang_up(self, connection: socket.socket) -> None:
        with contextlib.suppress(KeyError, ValueError):
            self._selector.unregister(connection)
        connection.close()


def _send(connection: socket.socket, fields: Answer, fds: Sequence[int] = ()) -> None:
    """Whoever asked and has gone away does not matter."""
    with contextlib.suppress(OSError):
        channel.send(connection, fields, fds)
