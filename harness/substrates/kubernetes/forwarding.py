"""A door on this machine to a workload's pods, through the API server: port-forward.

    python -m harness.substrates.kubernetes.forwarding SETTINGS.json

A process of its own, since load goes through it. Each connection is one line to a ready pod, in
turn; where it listens is written to the file that the settings name. It ends with its parent.
"""

from __future__ import annotations

import contextlib
import dataclasses
import itertools
import json
import select
import socket
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.errors import NotReady
from harness.substrates.attached.children import AttachedChild, tied_child
from harness.substrates.kubernetes.api import Api, ApiError
from harness.substrates.kubernetes.connection import connect
from harness.substrates.kubernetes.reading import Reader
from harness.substrates.kubernetes.stream import opened, pending

_PROTOCOL = "v4.channel.k8s.io"
_DATA, _ERROR = 0, 1
#: The first frame of a channel tells its port again.
_PORT_BYTES = 2
_CHUNK = 1 << 16
_LOOK_S = 1.0
_READY_S = 20.0


@dataclass(frozen=True)
class Forward:
    """`port` is the container's. `door` is the file that tells where it listens here."""

    kubeconfig: str
    context: str
    namespace: str
    workload: str
    port: int
    door: str


@contextlib.contextmanager
def forwarded(forward: Forward, log: Path) -> Iterator[str]:
    """The URL here. Raises `NotReady`."""
    settings = Path(forward.door).with_suffix(".json")
    settings.write_text(json.dumps(dataclasses.asdict(forward)))
    argv = (sys.executable, "-m", "harness.substrates.kubernetes.forwarding", str(settings))
    child = tied_child(argv, log)
    try:
        yield f"http://127.0.0.1:{_awaited(child, Path(forward.door), log)}"
    finally:
        child.terminate()


def _awaited(child: AttachedChild, door: Path, log: Path) -> int:
    until = time.monotonic() + _READY_S
    while time.monotonic() < until and child.poll() is None:
        with contextlib.suppress(FileNotFoundError):
            return int(door.read_text())
        time.sleep(0.02)
    raise NotReady("the port-forward did not come up", hint=f"its log: {log}")


def main(settings: str) -> None:
    forward = Forward(**json.loads(Path(settings).read_text()))
    api = Api(connect(forward.context, forward.kubeconfig).configuration)
    listener = socket.create_server(("127.0.0.1", 0), backlog=512)
    pods = _Pods(api, forward)
    draft = Path(forward.door).with_suffix(".new")
    draft.write_text(str(listener.getsockname()[1]))
    draft.rename(forward.door)
    while True:
        near, _ = listener.accept()
        threading.Thread(target=_carry, args=(api, forward, pods, near), daemon=True).start()


class _Pods:
    """The ready ones of a workload, one after the other; looked up anew each second."""

    def __init__(self, api: Api, forward: Forward) -> None:
        self._api = api
        self._forward = forward
        self._lock = threading.Lock()
        self._turn = itertools.count()
        self._looked = 0.0
        self._names: list[str] = []

    def next(self) -> str:
        """Raises `ApiError` when there is none."""
        with self._lock:
            if time.monotonic() > self._looked + _LOOK_S:
                reader = Reader(self._api, self._forward.namespace)
                found = reader.pods_of(self._forward.workload)
                self._names = [pod.name for pod in found if pod.ready and not pod.leaving]
                self._looked = time.monotonic()
            if not self._names:
                raise ApiError(503, "", f"{self._forward.workload} has no ready pod")
            return self._names[next(self._turn) % len(self._names)]


def _carry(api: Api, forward: Forward, pods: _Pods, near: socket.socket) -> None:
    """One connection. What the far end does not take is closed here."""
    try:
        there = f"/api/v1/namespaces/{forward.namespace}/pods/{pods.next()}/portforward"
        far = opened(api, f"{there}?ports={forward.port}", _PROTOCOL, "port-forward")
        with contextlib.closing(near):
            _pump(far, near)
    except Exception as error:
        print(f"a connection was not forwarded: {error}", file=sys.stderr, flush=True)
        near.close()


def _pump(far: Any, near: socket.socket) -> None:
    near.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    skip = {_DATA: _PORT_BYTES, _ERROR: _PORT_BYTES}
    with contextlib.suppress(OSError), contextlib.closing(far):
        while True:
            wire = far.sock
            ready = [wire] if pending(wire) else select.select([wire, near], [], [])[0]
            if near in ready:
                data = near.recv(_CHUNK)
                if not data:
                    return
                far.send_binary(bytes([_DATA]) + data)
            if wire in ready and not _take(far, near, skip):
                return


def _take(far: Any, near: socket.socket, skip: dict[int, int]) -> bool:
    """One frame; false when it was the last."""
    from websocket import ABNF

    opcode, frame = far.recv_data_frame(control_frame=True)
    if opcode == ABNF.OPCODE_CLOSE:
        return False
    if opcode not in (ABNF.OPCODE_BINARY, ABNF.OPCODE_TEXT) or not frame.data:
        return True
    channel, data = frame.data[0], frame.data[1:]
    data, skip[channel] = data[skip.get(channel, 0) :], max(0, skip.get(channel, 0) - len(data))
    if channel == _ERROR and data:
        print(data.decode(errors="replace"), file=sys.stderr, flush=True)
        return False
    if channel == _DATA and data:
        near.sendall(data)
    return True


if __name__ == "__main__":
    main(sys.argv[1])
