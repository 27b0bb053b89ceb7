"""Valkey or Redis by their own client: what was written is read back and compared.

`locust -f valkey_users.py --host redis://127.0.0.1:6379` works too.
"""

import random
from contextlib import contextmanager
from urllib.parse import urlsplit

import valkey
from locust import User, constant, task
from valkey.backoff import NoBackoff
from valkey.retry import Retry


class Caller(User):
    wait_time = constant(1)

    def __init__(self, environment):
        super().__init__(environment)
        address = urlsplit(self.host)
        self.client = valkey.Valkey(
            host=address.hostname,
            port=address.port,
            socket_timeout=5,
            socket_connect_timeout=5,
            retry=Retry(NoBackoff(), 0),
        )  # fmt: skip  a hidden retry would be a failure that nobody hears of
        self.written = {}

    @task(3)
    def read(self):
        key = f"load:{id(self)}:{random.randrange(10)}"
        with self.measured("get"):
            found = self.client.get(key)
            assert key not in self.written or found == self.written[key], found

    @task(1)
    def write(self):
        key, value = f"load:{id(self)}:{random.randrange(10)}", random.randbytes(100)
        self.written.pop(key, None)  # what a failed write left is not known
        with self.measured("set"):
            self.client.set(key, value, ex=3600)
        self.written[key] = value

    @contextmanager
    def measured(self, name):
        """An answer that was given up in the middle must not be taken for the next one's."""
        with self.environment.events.request.measure("VALKEY", name):
            try:
                yield
            except BaseException:
                self.client.close()
                self.client.connection_pool.disconnect()
                raise

    def on_stop(self):
        self.client.close()
