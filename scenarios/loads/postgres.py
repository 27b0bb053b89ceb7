"""PostgreSQL by psycopg: rows are inserted, and read back and compared.

User, database and password come from libpq's variables (PGUSER, PGDATABASE, PGPASSWORD).
`locust -f postgres.py --host postgresql://127.0.0.1:5432` works too.
"""

import uuid
from contextlib import contextmanager, suppress
from urllib.parse import urlsplit

import psycopg
from locust import User, constant, events, task

TABLE = "CREATE TABLE IF NOT EXISTS harness_load (id uuid PRIMARY KEY, body text NOT NULL)"


def connect(host):
    address = urlsplit(host)
    return psycopg.connect(
        host=address.hostname, port=address.port, connect_timeout=5, autocommit=True
    )


@events.test_start.add_listener
def prepare(environment, **_):
    """Several load processes may come at once: whoever is second finds it made."""
    with connect(environment.host) as connection, suppress(psycopg.errors.UniqueViolation):
        connection.execute(TABLE)


class Caller(User):
    wait_time = constant(1)
    connection = None
    known = None

    @task(1)
    def insert(self):
        row = (uuid.uuid4(), uuid.uuid4().hex)
        with self.measured("insert") as connection:
            connection.execute("INSERT INTO harness_load VALUES (%s, %s)", row)
        self.known = row

    @task(3)
    def read(self):
        with self.measured("select") as connection:
            if self.known is None:
                connection.execute("SELECT count(*) FROM (SELECT FROM harness_load LIMIT 10) few")
                return
            asked = connection.execute("SELECT * FROM harness_load WHERE id = %s", self.known[:1])
            assert asked.fetchone() == self.known

    @contextmanager
    def measured(self, name):
        """A connection that failed, or was given up in the middle, is not used again."""
        with self.environment.events.request.measure("SQL", name):
            try:
                if self.connection is None:
                    self.connection = connect(self.host)
                yield self.connection
            except BaseException:
                self.on_stop()
                raise

    def on_stop(self):
        if self.connection is not None:
            self.connection.close()
            self.connection = None
