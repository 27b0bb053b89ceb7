"""The way to the API server, against a server that does what no real one does on demand."""

import json
import threading
import time
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from harness.substrates.kubernetes.api import Api, ApiError
from harness.substrates.kubernetes.stream import Exec

kubernetes = pytest.importorskip("kubernetes")


class Server(ThreadingHTTPServer):
    """Answers with what the script says, one entry a request: (status, headers, body) or `drop`."""

    def __init__(self, script):
        super().__init__(("127.0.0.1", 0), Handler)
        self.script = list(script)
        self.asked = []
        self.over = threading.Event()


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def handle_any(self):
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.server.asked.append((self.command, self.path, body))
        entry = self.server.script.pop(0)
        if entry == "hang":
            return self.server.over.wait()
        if entry == "drop":
            self.close_connection = True
            return self.connection.close()
        status, headers, data = entry
        payload = json.dumps(data).encode()
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(payload))}.items():
            self.send_header(name, value)
        self.end_headers()
        return self.wfile.write(payload)

    do_GET = do_POST = do_PATCH = do_DELETE = do_PUT = handle_any  # noqa: N815

    def log_message(self, *_):
        pass


@contextmanager
def serving(*script, patience_s=5.0):
    server = Server(script)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    configuration = kubernetes.client.Configuration()
    configuration.host = f"http://127.0.0.1:{server.server_port}"
    configuration.retries = False
    try:
        yield Api(configuration, patience_s), server
    finally:
        server.over.set()
        server.shutdown()
        server.server_close()


OK = (200, {}, {"metadata": {"name": "x"}})
BUSY = (429, {"Retry-After": "0"}, {"reason": "TooManyRequests", "message": "slow down"})


def page(*names, after=""):
    meta = {"continue": after} if after else {}
    items = [{"metadata": {"name": name, "uid": name}} for name in names]
    return (200, {}, {"metadata": meta, "items": items})


def test_a_busy_server_is_asked_again():
    with serving(BUSY, (503, {}, {"message": "starting"}), OK) as (api, server):
        assert api.get("/x")["metadata"]["name"] == "x"
        assert len(server.asked) == 3


def test_a_dropped_connection_is_tried_again():
    with serving("drop", OK) as (api, _):
        assert api.get("/x")["metadata"]["name"] == "x"


def test_of_a_server_that_stays_silent_no_more_is_expected(monkeypatch):
    """Every call has its time; after all of the patience each is tried once, and shortly."""
    monkeypatch.setattr("harness.substrates.kubernetes.api.CONNECT_S", 0.2)
    with serving(*["hang"] * 3, OK, BUSY, OK, patience_s=0.3) as (api, server):
        with pytest.raises(ApiError, match=r"127\.0\.0\.1.*timed out"):
            api.once("GET", "/x", read_s=0.2)
        time.sleep(0.2)
        for asked in (2, 3):
            with pytest.raises(ApiError):
                api.get("/x")
            assert len(server.asked) == asked
        assert api.get("/x") == api.get("/x"), "patient again"


@pytest.mark.timeout(20)
def test_a_line_to_an_agent_that_nobody_takes_has_its_time_too(monkeypatch):
    monkeypatch.setattr("harness.substrates.kubernetes.stream.HANDSHAKE_S", 0.3)
    with serving(BUSY, "hang", patience_s=0.3) as (api, server):
        with pytest.raises(ApiError, match=r"exec in web-0: .*timed out"):
            Exec(api, "shop", "web-0", ("true",), Path("/dev/null"))
        assert len(server.asked) == 2, "who is only busy is asked again"


def test_a_date_to_come_back_at_is_no_number_of_seconds():
    later = (429, {"Retry-After": "Fri, 27 Nov 2026 00:10:00 GMT"}, {"message": "later"})
    with serving(later, OK) as (api, _):
        assert api.get("/x")


def test_patience_ends():
    with serving(*[BUSY] * 50, patience_s=0.5) as (api, _), pytest.raises(ApiError, match="slow"):
        api.get("/x")


def test_a_refusal_is_not_tried_again():
    refused = (403, {}, {"reason": "Forbidden", "message": 'pods is forbidden: User "x"'})
    with serving(refused) as (api, server):
        with pytest.raises(ApiError, match="pods is forbidden") as caught:
            api.get("/x")
        assert caught.value.status == 403
        assert len(server.asked) == 1


def test_a_create_that_was_made_although_nobody_said_so():
    there = (409, {}, {"reason": "AlreadyExists", "message": "there"})
    with serving("drop", there, OK) as (api, server):
        assert api.create("/pods", {"metadata": {"name": "x"}})["metadata"]["name"] == "x"
        assert [command for command, *_ in server.asked] == ["POST", "POST", "GET"]


def test_a_create_of_what_somebody_else_made_is_refused():
    there = (409, {}, {"reason": "AlreadyExists", "message": "there"})
    with serving(there) as (api, _), pytest.raises(ApiError, match="there"):
        api.create("/pods", {"metadata": {"name": "x"}})


def test_a_list_that_expires_midway_is_read_anew_and_nothing_comes_twice():
    gone = (410, {}, {"reason": "Expired", "message": "too old"})
    with serving(page("a", after="t"), gone, page("a", "b")) as (api, _):
        assert [item["metadata"]["name"] for item in api.items("/pods")] == ["a", "b"]


def test_pages_follow_each_other():
    with serving(page("a", after="t"), page("b")) as (api, server):
        assert [item["metadata"]["name"] for item in api.items("/pods")] == ["a", "b"]
        assert "continue=t" in server.asked[1][1]


def test_what_is_gone_needs_no_deleting():
    with serving((404, {}, {"reason": "NotFound", "message": "gone"})) as (api, _):
        api.delete("/pods/x")


def test_an_answer_that_is_no_json():
    with serving((400, {}, "nonsense")) as (api, _), pytest.raises(ApiError, match="nonsense"):
        api.get("/x")
