"""A process in a container, with its stdin and stdout as two pipes: `exec` over one websocket.

One thread moves the bytes, because a TLS connection is for one thread alone. It ends, and both
pipes with it, when the process ends, when the stream is cut, and when its stdin is closed. Caveat:
a pulled cable is not an end: nothing comes any more, and whoever asks has to have a timeout.
"""

from __future__ import annotations

import json
import os
import select
import socket
import ssl
import threading
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, cast
from urllib.parse import quote, urlencode

from harness.substrates.kubernetes.api import Api, ApiError, plain

if TYPE_CHECKING:
    from kubernetes.client import Configuration
    from websocket import WebSocket

_STDIN, _STDOUT, _STDERR, _STATUS, _CLOSE = 0, 1, 2, 3, 255
_PROTOCOLS = "v5.channel.k8s.io,v4.channel.k8s.io"
_CHUNK = 1 << 16
_FAREWELL_S = 5.0
HANDSHAKE_S = 10.0


class Exec:
    """`reader` and `writer` are for whoever speaks to the process; its stderr goes to `log`."""

    def __init__(
        self, api: Api, namespace: str, pod: str, command: Sequence[str], log: Path,
        container: str = "agent",
    ) -> None:  # fmt: skip
        self._socket = api.patiently(lambda: _open(api, namespace, pod, command, container))
        spoken = {k.lower(): v for k, v in (self._socket.getheaders() or {}).items()}
        self._can_close = spoken.get("sec-websocket-protocol", "").startswith("v5")
        asked, wanted = os.pipe()
        answers, said = os.pipe()
        self._asked, self._said = asked, said
        self.writer = cast("BinaryIO", os.fdopen(wanted, "wb"))
        self.reader = cast("BinaryIO", os.fdopen(answers, "rb"))
        self.status = ""
        self._log = log
        self._thread = threading.Thread(target=self._move, name=f"exec {pod}", daemon=True)
        self._thread.start()

    def ended(self, within_s: float) -> str:
        """How it ended, in the API's words (`Success`); empty when it has not."""
        self._thread.join(within_s)
        return "" if self._thread.is_alive() else self.status

    def cut(self) -> None:
        """At once, from any thread: who hears nothing need not wait for last words."""
        wire: Any = self._socket.sock
        with suppress(OSError, AttributeError):
            wire.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Its stdin ends, its last words are waited for, then the connection is closed."""
        with suppress(OSError, ValueError):
            self.writer.close()
        self._thread.join(_FAREWELL_S)
        with suppress(Exception):
            self._socket.close(timeout=1)
        self._thread.join(1.0)

    # ------------------------------------------------------------ the thread

    def _move(self) -> None:
        with suppress(Exception), self._log.open("ab", buffering=0) as log:
            self._until_the_end(log)
        for fd in (self._said, self._asked):
            with suppress(OSError):
                os.close(fd)
        with suppress(Exception):
            self._socket.close(timeout=1)

    def _until_the_end(self, log: Any) -> None:
        wire: Any = self._socket.sock
        listening = True
        while True:
            waits = [wire, self._asked] if listening else [wire]
            ready = [wire] if pending(wire) else select.select(waits, [], [])[0]
            if self._asked in ready:
                listening = self._pass_on(os.read(self._asked, _CHUNK))
            if wire in ready and not self._take(log):
                return

    def _pass_on(self, data: bytes) -> bool:
        """False after the last: the process then reads the end of its stdin."""
        if data:
            self._socket.send_binary(bytes([_STDIN]) + data)
        elif self._can_close:
            self._socket.send_binary(bytes([_CLOSE, _STDIN]))
        else:
            self._socket.close(timeout=1)
        return bool(data)

    def _take(self, log: Any) -> bool:
        """One frame; false when it was the last."""
        from websocket import ABNF

        opcode, frame = self._socket.recv_data_frame(control_frame=True)
        if opcode == ABNF.OPCODE_CLOSE:
            return False
        if opcode not in (ABNF.OPCODE_BINARY, ABNF.OPCODE_TEXT) or not frame.data:
            return True
        channel, data = frame.data[0], frame.data[1:]
        if channel == _STDOUT:
            _write(self._said, data)
        elif channel == _STDERR:
            log.write(data)
        elif channel == _STATUS:
            self.status = _status_in(data)
        return True


def _open(api: Api, namespace: str, pod: str, command: Sequence[str], container: str) -> WebSocket:
    flags = [(name, "true") for name in ("stdin", "stdout", "stderr")]
    query = urlencode([*(("command", word) for word in command), *flags, ("container", container)])
    where = f"/api/v1/namespaces/{quote(namespace)}/pods/{quote(pod)}/exec"
    return opened(api, f"{where}?{query}", _PROTOCOLS, f"exec in {pod}")


def opened(api: Api, path: str, protocols: str, what: str) -> WebSocket:
    """A websocket to the API server, in binary frames. Raises `ApiError`."""
    from websocket import WebSocketException

    try:
        url = f"{api.configuration.host.replace('http', 'ws', 1)}{path}"
        found = _connected(api.configuration, url, _headers(api, protocols))
    except (WebSocketException, OSError, ssl.SSLError) as error:
        status = getattr(error, "status_code", 0) or 0
        raise ApiError(status, "", f"{what}: {plain(error)}") from None
    found.settimeout(None)
    return found


def _connected(configuration: Configuration, url: str, headers: list[str]) -> WebSocket:
    """As the client makes one, which gives its handshake all the time of the world."""
    from kubernetes.stream.ws_client import websocket_proxycare
    from websocket import WebSocket

    trusted = url.startswith("wss://") and configuration.verify_ssl
    options = {
        "ca_certs": configuration.ssl_ca_cert if trusted else None,
        "check_hostname": configuration.assert_hostname if trusted else None,
        "certfile": configuration.cert_file, "keyfile": configuration.key_file,
        "server_hostname": configuration.tls_server_name,
        "cert_reqs": ssl.CERT_REQUIRED if trusted else ssl.CERT_NONE,
    }  # fmt: skip
    given = {name: value for name, value in options.items() if value is not None}
    found: Any = WebSocket(sslopt=given)
    found.settimeout(HANDSHAKE_S)
    how: dict[str, Any] = {"header": headers}
    if configuration.proxy:
        how = websocket_proxycare(how, configuration, url, None)
    found.connect(url, **how)
    return cast("WebSocket", found)


def _headers(api: Api, protocols: str) -> list[str]:
    auth: Any = api.configuration.auth_settings().get("BearerToken") or {}
    token = [f"authorization: {auth['value']}"] if auth.get("value") else []
    return [*token, f"sec-websocket-protocol: {protocols}"]


def pending(wire: Any) -> bool:
    """TLS has read ahead: select would not see it."""
    return isinstance(wire, ssl.SSLSocket) and wire.pending() > 0


def _write(fd: int, data: bytes) -> None:
    while data:
        data = data[os.write(fd, data) :]


def _status_in(data: bytes) -> str:
    with suppress(ValueError, AttributeError):
        return str(json.loads(data).get("message") or json.loads(data).get("status"))
    return ""
