"""Plain TCP: a line is sent on a kept connection, and a line comes back.

`PING` is understood by Valkey and Redis; change the two constants for what speaks otherwise.
`locust -f tcp.py --host tcp://127.0.0.1:6379` works too.
"""

import socket
from contextlib import contextmanager
from urllib.parse import urlsplit

from locust import User, constant, task

ASKED = b"PING\r\n"
ANSWER = b"+PONG\r\n"


class Caller(User):
    wait_time = constant(1)
    socket = None

    @task
    def ask(self):
        with self.environment.events.request.measure("TCP", "ask"), self.connected() as lines:
            lines.write(ASKED)
            lines.flush()
            answer = lines.readline()
            if not answer:
                raise ConnectionResetError("closed before the answer")
            assert answer == ANSWER, answer

    @contextmanager
    def connected(self):
        """The connection; one that failed, or was given up in the middle, is not used again."""
        if self.socket is None:
            address = urlsplit(self.host)
            self.socket = socket.create_connection((address.hostname, address.port), timeout=5)
        try:
            with self.socket.makefile("rwb") as lines:
                yield lines
        except BaseException:
            self.socket.close()
            self.socket = None
            raise

    def on_stop(self):
        if self.socket is not None:
            self.socket.close()
