"""Proxies of our own, on the calls of an attached system that names no Toxiproxy.

They stand as long as the run: their process ends with the harness, however that ends, and then
nobody listens where the callers connect to. Their listeners are the harness's, so that callers wait
while the process is started again.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from harness.errors import NotReady
from harness.experiment.system_model import Service, System
from harness.mechanisms import proxy_listening
from harness.mechanisms.place import EDGES
from harness.mechanisms.proxy_listening import Opened
from harness.substrates.attached.children import AttachedChild

LOOPBACK = ("127.0.0.1", "localhost")


def control_of(service: Service) -> str:
    """Where the proxy before a service is told, seen from the run's directory."""
    return f"{EDGES}/{service.name}"


def ours(system: System) -> tuple[Service, ...]:
    """Those that have a proxy of ours before them."""
    return tuple(s for s in system.services if s.upstream and not s.toxiproxy)


class Proxies:
    """One process for all of them. Raises `NotReady`: somebody else listens there."""

    def __init__(self, system: System, directory: Path) -> None:
        self._edges: list[Opened] = []
        self._process: subprocess.Popen[bytes] | None = None
        self._log = directory / "proxies.log"
        self._place = directory / EDGES
        services = ours(system)
        if not services:
            return
        try:
            self._place.mkdir()
            with _short(self._place) as place:
                self._edges.extend(_opened(service, place) for service in services)
            self._start()
        except BaseException:
            self.close()
            raise

    def troubles(self) -> tuple[str, ...]:
        """What is to be told of the process; one that has ended is started again."""
        if self._process is None or self._process.poll() is None:
            return ()
        self._start()
        return ("the proxy ended and was started again, without toxics",)

    def close(self) -> None:
        if self._process is not None:
            AttachedChild(self._process).terminate()
        for control, doors in self._edges:
            for one in (control, *(door for door, _ in doors)):
                one.close()
        shutil.rmtree(self._place, ignore_errors=True)

    def _start(self) -> None:
        fds = [one.fileno() for c, doors in self._edges for one in (c, *(d for d, _ in doors))]
        argv = [sys.executable, *proxy_listening.arguments(self._edges)]
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log, pass_fds=fds,
                start_new_session=True,
            )  # fmt: skip


@contextlib.contextmanager
def _short(directory: Path) -> Iterator[str]:
    """A path of it that is short enough for a socket's."""
    fd = os.open(directory, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{fd}"
    finally:
        os.close(fd)


def _opened(service: Service, place: str) -> Opened:
    try:
        listener = proxy_listening.door("127.0.0.1", _parts(service.proxy)[1])
    except OSError as error:
        raise NotReady(
            f"{service.name}: its proxy cannot listen at {service.proxy}: {error.strerror}",
            hint="if a Toxiproxy listens there, name its URL: toxiproxy",
        ) from None
    return proxy_listening.ear(f"{place}/{service.name}"), [(listener, [_parts(service.upstream)])]


def _parts(address: str) -> tuple[str, int]:
    host, _, port = address.rpartition(":")
    return host, int(port)
