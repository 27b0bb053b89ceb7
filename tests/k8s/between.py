"""A proxy between the harness and a real API server, which makes happen what rarely does.

It speaks plain HTTP to the harness and TLS, as the cluster's administrator, to the server.
`trouble` is asked for each request (method, path, how many of that kind came before) and says what
becomes of it: nothing (it is passed on), a status, or one of the words below.
"""

import base64
import json
import select
import socket
import socketserver
import ssl
import tempfile
import threading
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.parse import urlsplit

#: Closed before the server hears of it; closed after the server did it; never answered.
DROP, DEAF, HANG = "drop", "deaf", "hang"
REASONS = {409: "Conflict", 410: "Expired", 429: "TooManyRequests", 503: "ServiceUnavailable"}


class Between(socketserver.ThreadingTCPServer):
    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, kubeconfig):
        super().__init__(("127.0.0.1", 0), Handler)
        config = json.loads(Path(kubeconfig).read_text())
        self.server = urlsplit(config["clusters"][0]["cluster"]["server"])
        self.context = context_of(config)
        self.trouble = lambda _method, _path, _number: ""
        self.asked, self.made, self.streams, self.watches = [], [], [], []
        self.over, self.hushed = threading.Event(), threading.Event()

    def handle_error(self, request, client_address):
        pass  # either side may go at any time

    def decided(self, method, path):
        kind = (method, path.partition("?")[0])
        self.asked.append(kind)
        if self.hushed.is_set():
            return HANG
        found = self.trouble(method, path, self.asked.count(kind) - 1)
        if found:
            self.made.append((found, *kind))
        return found

    def cut(self):
        """Every websocket that is open, at once."""
        shut(self.streams)

    def cut_watches(self):
        """Every watch, in the middle of whatever it says."""
        shut(self.watches)

    def kubeconfig(self, path):
        """One that leads here, and has nothing to show."""
        there = {"server": f"http://127.0.0.1:{self.server_address[1]}"}
        path.write_text(json.dumps({
            "apiVersion": "v1", "kind": "Config", "current-context": "between",
            "clusters": [{"name": "between", "cluster": there}],
            "users": [{"name": "nobody", "user": {}}],
            "contexts": [{"name": "between", "context": {"cluster": "between", "user": "nobody"}}],
        }))  # fmt: skip
        return path


class Handler(socketserver.BaseRequestHandler):
    """One request a connection."""

    def handle(self):
        head, rest = b"", b""
        while b"\r\n\r\n" not in head:
            if not (data := self.request.recv(1 << 16)):
                return
            head += data
        head, _, rest = head.partition(b"\r\n\r\n")
        lines = head.decode().split("\r\n")
        method, path, _ = lines[0].split(" ", 2)
        what = self.server.decided(method, path)
        if isinstance(what, int):
            self.request.sendall(answer(what))
        elif what == HANG:
            self.server.over.wait()
        elif what != DROP:
            self.pass_on(lines, rest, deaf=what == DEAF)

    def pass_on(self, lines, rest, *, deaf):
        stream = any(line.lower().startswith("upgrade:") for line in lines)
        if not stream:
            lines = [line for line in lines if not line.lower().startswith("connection:")]
            lines.append("Connection: close")
        address = (self.server.server.hostname, self.server.server.port)
        with (
            socket.create_connection(address, 5) as plain,
            self.server.context.wrap_socket(plain, server_hostname=address[0]) as there,
        ):
            there.sendall("\r\n".join(lines).encode() + b"\r\n\r\n" + rest)
            if stream:
                self.server.streams += [self.request, plain]
            if "watch=true" in lines[0]:
                self.server.watches += [self.request, plain]
            pump(self.request, there, self.server, deaf=deaf)


def shut(sockets):
    for one in sockets:
        with suppress(OSError):
            one.shutdown(socket.SHUT_RDWR)


def pump(here, there, server, *, deaf):
    """Bytes both ways until either ends; the answer goes nowhere if we are deaf. Once the server is
    hushed nothing is said any more, and nothing closed."""
    there.settimeout(None)
    while not server.over.is_set():
        if server.hushed.is_set():
            server.over.wait()
            return
        ready = [there] if there.pending() else select.select([here, there], [], [], 0.5)[0]
        for one in ready:
            data = one.recv(1 << 16)
            if not data:
                return
            if one is here:
                there.sendall(data)
            elif not deaf:
                here.sendall(data)


def answer(status):
    body = json.dumps({
        "kind": "Status", "apiVersion": "v1", "status": "Failure", "code": status,
        "reason": REASONS[status], "message": f"made by the proxy: {status}",
    }).encode()  # fmt: skip
    head = f"HTTP/1.1 {status} {REASONS[status]}\r\nContent-Type: application/json\r\n"
    head += f"Retry-After: 1\r\nConnection: close\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


def context_of(config):
    """Trusts the cluster's authority, and shows the administrator's certificate."""
    user, there = config["users"][0]["user"], config["clusters"][0]["cluster"]
    context = ssl.create_default_context(cadata=decoded(there["certificate-authority-data"]))
    with tempfile.NamedTemporaryFile("w") as pair:
        pair.write(decoded(user["client-certificate-data"]) + decoded(user["client-key-data"]))
        pair.flush()
        context.load_cert_chain(pair.name)
    return context


def decoded(text):
    return base64.b64decode(text).decode()


@contextmanager
def between(kubeconfig):
    server = Between(kubeconfig)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield server
    finally:
        server.over.set()
        server.cut()
        server.shutdown()
        server.server_close()
