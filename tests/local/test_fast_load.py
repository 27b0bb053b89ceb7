"""Declared requests against a real server: the same rules and rows as Locust users have."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from test_load import Server, driven, latency_ms, outcomes, plan, run, server

from harness.experiment.model import Data, Expect, Request
from harness.load.reading import read
from harness.load.recording import Flag, Outcome

__all__ = ["server"]

LOOK = Request("look", "GET", "/ok")


def asking(url, *requests, **given):
    return plan("", url, counts="requests", requests=requests or (LOOK,), **given)


def named(recording, name):
    return recording.rows[recording.rows["name"] == recording.names.index(name)]


def test_a_freeze_of_two_seconds_is_reported_as_its_users_felt_it(server, tmp_path):
    """200/s for 8 s, stopped for 2 s: 400 of 1600 wait evenly between 0 and 2 s."""
    load = asking(server.url, rate=200, warmup=1.0, duration=7.0, timeout=3.0)

    def freeze():
        time.sleep(2.5)
        server.freeze(2.0)

    end, recording = run(load, tmp_path, freeze)
    rows = recording.rows
    assert (end.due, end.sent, end.dropped, end.died) == (1600, 1600, 0, ())
    assert outcomes(rows) == {"OK": 1600}
    assert np.quantile(latency_ms(rows), 0.99, method="higher") == pytest.approx(1920, rel=0.08)
    assert np.mean(latency_ms(rows) < 100) == pytest.approx(1 - 380 / 1600, abs=0.03)
    assert set(rows["flags"]) == {Flag.FIRST}
    assert sorted(rows["arrival"]) == list(range(1600))


def test_the_timeout_counts_from_when_a_request_was_due(server, tmp_path):
    load = asking(server.url, rate=200, duration=6.0)

    def freeze():
        time.sleep(1.5)
        server.freeze(2.0)

    _, recording = run(load, tmp_path, freeze)
    rows = recording.rows
    assert outcomes(rows)["TIMEOUT"] == pytest.approx(200, abs=25)
    assert outcomes(rows).keys() == {"OK", "TIMEOUT"}
    assert np.all(latency_ms(rows[rows["outcome"] == Outcome.TIMEOUT]) >= 999)
    assert np.all(latency_ms(rows) < 1000 + 150)


def test_classes_of_failures(server, tmp_path):
    wanted = (
        Request("missing", "GET", "/status/404"),
        Request("expected", "GET", "/status/404", expect=Expect(404)),
        Request("created", "POST", "/ok", json='{"a":1}', expect=Expect(201)),
        Request("dropped", "GET", "/drop"),
        Request("late", "GET", "/sleep/2"),
        Request("redirected", "GET", "/away"),
        Request("no-json", "GET", "/ok", expect=Expect(json='{"a":1}')),
        Request(
            "seen", "GET", "/seen", expect=Expect(json='{"headers":{"x-harness-run":"run-7"}}')
        ),
        Request("many", "GET", "/seen", expect=Expect(json='{"counts":{"seen":"< 1"}}')),
        Request("fine", "POST", "/ok", json='{"a":":id"}', expect=Expect(200)),
    )
    expected = {
        "missing": "STATUS", "expected": "OK", "created": "STATUS", "dropped": "RESET",
        "late": "TIMEOUT", "redirected": "OK", "no-json": "CONTENT", "seen": "OK",
        "many": "CONTENT", "fine": "OK",
    }  # fmt: skip
    _, recording = run(asking(server.url, *wanted, rate=100, timeout=0.5), tmp_path)
    for name, outcome in expected.items():
        assert outcomes(named(recording, name)).keys() == {outcome}, name
    assert set(named(recording, "missing")["status"]) == {404}
    assert "stolen" not in server.seen()["counts"]


def test_every_fifth_connection_is_dropped_and_none_is_repeated(server, tmp_path):
    _, recording = run(asking(server.url, Request("fifth", "GET", "/fifth")), tmp_path)
    assert outcomes(recording.rows) == {"OK": 80, "RESET": 20}
    assert server.seen()["counts"]["fifth"] == 100


def test_refused_connections(server, tmp_path):
    load = asking(server.url)
    _, recording = run(load, tmp_path, lambda: (time.sleep(0.75), server.process.kill()))
    counts = outcomes(recording.rows)
    assert counts["REFUSED"] >= 30
    assert counts["OK"] >= 30
    assert counts["OK"] + counts["REFUSED"] + counts["RESET"] == 100


def test_choice_and_data_come_from_the_seed_whatever_the_workers(server, tmp_path):
    wanted = (
        Request("basket", "GET", "/ok/:id?size=:size", weight=3),
        Request("pay", "POST", "/ok", json='{"sku":":id"}'),
    )
    data = (Data("id", 1, 5), Data("size", values=("s", "m/l")))
    told = []
    for workers in (1, 2):
        directory = tmp_path / str(workers)
        directory.mkdir()
        load = asking(server.url, *wanted, data=data, poisson=True, workers=workers)
        with driven(load, directory) as driver:
            time.sleep(1.4)
            driver.stop()
        rows, names = read(directory).rows, read(directory).names
        told.append([(r["arrival"], r["intended"] - driver.t0_ns, names[r["name"]]) for r in rows])
        assert set(rows["worker"]) == set(range(workers))
    assert told[0] == told[1]
    assert sum(name == "basket" for _, _, name in told[0]) / len(told[0]) == pytest.approx(
        0.75, abs=0.2
    )


def test_a_closed_loop_waits_for_its_answers(server, tmp_path):
    load = asking(server.url, closed_users=5, think=0.05, duration=4.0, timeout=3.0)

    def freeze():
        time.sleep(1.0)
        server.freeze(2.0)

    end, recording = run(load, tmp_path, freeze)
    slow = latency_ms(recording.rows) > 100
    assert (end.died, end.dropped) == ((), 0)
    assert np.count_nonzero(slow) == 5  # what an open loop shows for hundreds
    assert 100 < len(recording.rows) <= 5 * 40 + 5


def test_a_killed_worker_leaves_its_rows(server, tmp_path):
    with driven(asking(server.url, duration=20.0), tmp_path) as driver:
        time.sleep(1.5)
        os.kill(driver._children[0].pid, signal.SIGKILL)
        time.sleep(0.2)
        assert driver.died() == ("load worker 0 ended with -9",)
        assert driver.stop().died == ("load worker 0 ended with -9",)
    assert len(read(tmp_path).rows) >= 100


TLS_SERVER = """
import http.server, ssl, sys
class Answer(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_GET(self):
        self.send_response(200); self.send_header("Content-Length", "2"); self.end_headers()
        self.wfile.write(b"ok")
    def log_message(self, *_): pass
server = http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Answer)
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain("cert.pem", "key.pem")
server.socket = context.wrap_socket(server.socket, server_side=True)
server.serve_forever()
"""


def certificate(directory: Path) -> None:
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1",
         "-nodes", "-keyout", "key.pem", "-out", "cert.pem", "-days", "2", "-subj", "/CN=localhost",
         "-addext", "subjectAltName=DNS:localhost"],
        cwd=directory, check=True, capture_output=True,
    )  # fmt: skip


@contextmanager
def serving(script, directory):
    """A server of a few lines on a free port."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    made = Server.__new__(Server)
    made.port = port
    made.process = subprocess.Popen([sys.executable, "-c", script, str(port)], cwd=directory)
    try:
        made.wait()
        yield port
    finally:
        made.process.kill()
        made.process.wait()


@pytest.mark.parametrize("trusted", [True, False])
def test_tls_is_checked(tmp_path, monkeypatch, trusted):
    certificate(tmp_path)
    if trusted:
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "cert.pem"))
    with serving(TLS_SERVER, tmp_path) as port:
        _, recording = run(asking(f"https://localhost:{port}", rate=50), tmp_path)
    assert outcomes(recording.rows) == ({"OK": 50} if trusted else {"OTHER": 50})


CLOSING_SERVER = """
import socket, sys
server = socket.create_server(("127.0.0.1", int(sys.argv[1])))
while True:
    peer, _ = server.accept()
    asked = peer.recv(4096).split()
    extra = b"Content-Length: 99\\r\\n" if b"/cut" in asked else b""
    if asked:
        peer.sendall(b"HTTP/1.1 200 OK\\r\\n" + extra + b"\\r\\nthe end")
    peer.close()
"""


def test_answers_without_a_length_end_with_their_connection(tmp_path):
    """And one that is cut short is a failure."""
    wanted = (Request("whole", "GET", "/whole"), Request("cut", "GET", "/cut"))
    with serving(CLOSING_SERVER, tmp_path) as port:
        _, recording = run(asking(f"http://127.0.0.1:{port}", *wanted, rate=20), tmp_path)
    assert outcomes(named(recording, "whole")).keys() == {"OK"}
    assert outcomes(named(recording, "cut")).keys() == {"RESET"}


def test_the_worker_tells_of_itself(server, tmp_path):
    run(asking(server.url), tmp_path)
    lines = [json.loads(line) for line in (tmp_path / "load.0.jsonl").read_text().splitlines()]
    states = [line for line in lines if "event" not in line]
    assert [line["event"] for line in lines if "event" in line] == ["ready", "ended"]
    assert states[-1]["due"] == states[-1]["done"] == 100
