"""NATS: a message is published and comes back to its own subscription.

Its protocol by hand, a dozen lines: the Python client is made for asyncio, Locust is not.
`locust -f nats_users.py --host nats://127.0.0.1:4222` works too.
"""

import socket
import uuid
from contextlib import contextmanager
from urllib.parse import urlsplit

from locust import User, constant, task

HELLO = b'CONNECT {"verbose":false,"pedantic":false,"name":"harness"}\r\nSUB %s 1\r\n'


class Caller(User):
    wait_time = constant(1)
    socket = None

    def __init__(self, environment):
        super().__init__(environment)
        self.subject = f"load.{uuid.uuid4().hex}".encode()

    @task
    def publish(self):
        sent = uuid.uuid4().hex.encode()
        with self.environment.events.request.measure("NATS", "publish"), self.connected() as lines:
            lines.write(b"PUB %s %d\r\n%s\r\n" % (self.subject, len(sent), sent))
            lines.flush()
            while not (line := lines.readline()).startswith(b"MSG "):
                self.other(line, lines)
            assert lines.readline().strip() == sent

    def other(self, line, lines):
        """What the server says besides."""
        if line == b"PING\r\n":
            lines.write(b"PONG\r\n")
            lines.flush()
        elif not line:
            raise ConnectionResetError("closed before the message came")
        elif line.startswith(b"-ERR"):
            raise RuntimeError(line.decode())

    @contextmanager
    def connected(self):
        """The connection; one that failed, or was given up in the middle, is not used again."""
        if self.socket is None:
            address = urlsplit(self.host)
            self.socket = socket.create_connection((address.hostname, address.port), timeout=5)
            self.socket.sendall(HELLO % self.subject)
        try:
            with self.socket.makefile("rwb") as lines:
                yield lines
        except BaseException:
            self.on_stop()
            raise

    def on_stop(self):
        if self.socket is not None:
            self.socket.close()
            self.socket = None
