"""A world for tests of one mechanism: hosts on a bridge, in namespaces of a process of their own.

`@in_world("client", "server")` runs a test as PID 1 of new user, mount, pid and network namespaces,
so that whatever it starts or leaves ends with it. It needs no privilege; where user namespaces are
refused the test is skipped with the reason. `as_root=True` keeps the user namespace, for what the
kernel gives to real root alone.
"""

from __future__ import annotations

import contextlib
import functools
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from harness.mechanisms import namespaces as ns
from harness.mechanisms.netlink import Netlink

_KINDS = ns.NEW_USER | ns.NEW_NS | ns.NEW_PID | ns.NEW_NET | ns.NEW_IPC


@dataclass
class SmallWorld:
    addresses: dict[str, str]
    started: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def netns(self, host: str) -> str:
        return f"/run/netns/{host}"

    def start(self, host: str, *argv: str, nested: bool = True) -> subprocess.Popen[bytes]:
        """A process on a host; `nested` in a user namespace of its own, as services are."""
        lead = ("unshare", "-U", "--map-user=1000", "--map-group=1000") if nested else ()
        process = ns.inside(
            self.netns(host), lambda: subprocess.Popen([*lead, *argv], start_new_session=True)
        )
        self.started.append(process)
        return process

    def run(self, host: str, *argv: str) -> str:
        return ns.inside(
            self.netns(host),
            lambda: subprocess.run(argv, capture_output=True, text=True, check=True).stdout,
        )

    def connect(self, host: str, to: str, port: int, timeout: float = 5.0) -> socket.socket:
        goal = (self.addresses[to], port)
        return ns.inside(self.netns(host), lambda: socket.create_connection(goal, timeout))

    def listen(self, host: str, port: int) -> socket.socket:
        return ns.inside(
            self.netns(host), lambda: socket.create_server((self.addresses[host], port))
        )

    def serve(self, host: str, port: int) -> Echo:
        return Echo(self.listen(host, port))


class Echo:
    """A server in a thread that sends back what it gets; counts its connections and bytes."""

    def __init__(self, listener: socket.socket) -> None:
        self.peers: list[tuple[str, int]] = []
        self.received = 0
        self._listener = listener
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                connection, peer = self._listener.accept()
            except OSError:
                return
            self.peers.append(peer)
            threading.Thread(target=self._echo, args=(connection,), daemon=True).start()

    def _echo(self, connection: socket.socket) -> None:
        with connection, contextlib.suppress(OSError):
            while data := connection.recv(1 << 16):
                self.received += len(data)
                connection.sendall(data)


def in_world(
    *hosts: str, as_root: bool = False
) -> Callable[[Callable[[SmallWorld], None]], Callable[[], None]]:
    def decorate(test: Callable[[SmallWorld], None]) -> Callable[[], None]:
        @functools.wraps(test)
        def run() -> None:
            if as_root and os.getuid():
                pytest.skip("not root")
            said = _in_child(lambda: test(_build(hosts)), as_root)
            if said.startswith("refused"):
                pytest.skip(f"user namespaces: {said}")
            if said:
                pytest.fail(said, pytrace=False)

        del run.__wrapped__  # pytest would see the argument `world`
        return run

    return decorate


def _in_child(function: Callable[[], None], as_root: bool) -> str:
    """What went wrong in there, or nothing."""
    ours, theirs = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(ours)
        _stage(theirs, function, as_root)
    os.close(theirs)
    with os.fdopen(ours) as heard:
        said = heard.read()
    status = os.waitpid(pid, 0)[1]
    return said or (f"the world ended with {status}" if status else "")


def _stage(said: int, function: Callable[[], None], as_root: bool) -> None:
    status = 1
    try:
        ns.die_with_parent(signal.SIGKILL)
        if as_root:
            ns.unshare(_KINDS & ~ns.NEW_USER)
        else:
            _unshare_as_anybody()
    except OSError as error:
        os.write(said, f"refused: {error}".encode())
        os._exit(0)
    first = os.fork()
    if first:
        os.close(said)
        os._exit(os.waitstatus_to_exitcode(os.waitpid(first, 0)[1]) & 0xFF)
    try:
        ns.die_with_parent(signal.SIGKILL)
        ns.mount("none", "/", flags=ns.MS_REC | ns.MS_PRIVATE)
        ns.mount("proc", "/proc", "proc")
        ns.mount("tmpfs", "/run", "tmpfs")
        function()
        status = 0
    except BaseException:
        os.write(said, traceback.format_exc().encode())
    sys.stdout.flush()
    os._exit(status)


def _unshare_as_anybody() -> None:
    uid, gid = os.getuid(), os.getgid()
    ns.unshare(_KINDS)
    Path("/proc/self/setgroups").write_text("deny")
    Path("/proc/self/uid_map").write_text(f"0 {uid} 1")
    Path("/proc/self/gid_map").write_text(f"0 {gid} 1")


def _build(hosts: tuple[str, ...]) -> SmallWorld:
    Path("/run/netns").mkdir()
    addresses = {host: f"198.18.0.{n}" for n, host in enumerate(hosts, 1)}
    with Netlink() as net:
        net.up("lo")
        net.add_bridge("br0")
        net.up("br0")
        for number, (host, address) in enumerate(addresses.items(), 1):
            netns = ns.new_netns()
            net.add_veth(f"v-{number}", "eth0", netns)
            net.set_master(f"v-{number}", "br0")
            net.up(f"v-{number}")
            ns.inside(netns, functools.partial(_dress, address))
            Path(f"/run/netns/{host}").touch()
            ns.mount(f"/proc/self/fd/{netns}", f"/run/netns/{host}", flags=ns.MS_BIND)
    return SmallWorld(addresses)


def _dress(address: str) -> None:
    with Netlink() as net:
        net.add_address("eth0", address, 16)
        net.up("eth0")


def until(true: Callable[[], bool], within_s: float = 5.0) -> bool:
    """Wait for something to become true; says whether it did."""
    end = time.monotonic() + within_s
    while not true():
        if time.monotonic() > end:
            return False
        time.sleep(0.02)
    return True
