"""Requests without Locust: what is sent for an arrival, and which answers are right."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from harness.experiment.model import Data, Expect, Request
from harness.experiment.source import load_experiment
from harness.faults import registry
from harness.load.fast_expect import checker, matches
from harness.load.fast_requests import Deck
from harness.load.recording import Outcome
from harness.record.directory import load_from_json
from harness.record.plan import LoadPlan

SYSTEM = """
apiVersion: harness/v1
kind: System
metadata: {name: shop}
spec:
  services:
    api: {run: "serve", port: 8000, ready: /live}
    web: {run: "serve", port: 8080, ready: /health, calls: [api]}
    database: {run: "serve", port: 5432, ready: tcp}
"""
HEAD = """
apiVersion: harness/v1
kind: Experiment
metadata: {name: shop}
spec:
  hypothesis: It works.
  system: system.yaml
  duration: 10s
  objectives: [errors < 1%]
"""


def experiment(directory: Path, load: str) -> Any:
    (directory / "system.yaml").write_text(SYSTEM)
    (directory / "shop.yaml").write_text(HEAD + load)
    return load_experiment(directory / "shop.yaml", {}, None, registry.find, registry.names)


def plan(*requests: Request, **given: Any) -> LoadPlan:
    return LoadPlan(
        users="", entry="web", url="http://web:8080/shop", counts="requests", rate=((0.0, 10.0),),
        rate_smooth=True, poisson=False, seed=7, warmup=0.0, duration=1.0, timeout=1.0, workers=1,
        headers=(("X-Team", "a"),), run_id="run-7", requests=requests, **given,
    )  # fmt: skip


def test_the_example_of_the_documentation(tmp_path: Path) -> None:
    load = experiment(
        tmp_path,
        """
  load:
    requests:
      - {get: /basket/:id, weight: 8, expect: 200}
      - {post: /pay, json: {sku: 42}, expect: {status: 201, json: {age_s: "<= 1"}}}
    data: {id: 1..500}
    entry: web
    arrivals: {requests: 50/s}
""",
    ).load
    assert load.requests == (
        Request("/basket/:id", "GET", "/basket/:id", 8, expect=Expect(200)),
        Request("/pay", "POST", "/pay", json='{"sku":42}', expect=Expect(201, '{"age_s":"<= 1"}')),
    )
    assert load.data == (Data("id", 1, 500),)
    assert load.users is None


def test_a_closed_loop(tmp_path: Path) -> None:
    load = experiment(
        tmp_path,
        """
  load:
    requests: [{get: /}]
    entry: web
    arrivals: {closed: {users: 50, think: 1s}}
""",
    ).load
    assert (load.arrivals.closed.users, float(load.arrivals.closed.think)) == (50, 1.0)


def test_requests_as_they_are_sent() -> None:
    deck = Deck(plan(Request("pay", "POST", "/pay/:id?of=:id", json='{"sku":":sku","n":[1]}'),
                     data=(Data("sku", values=('a"b', 7)),)))  # fmt: skip
    sent = {deck.draw(index).bytes for index in range(200)}
    first = deck.draw(0).bytes
    assert deck.draw(0).bytes == first
    assert len(sent) > 100
    head, body = first.split(b"\r\n\r\n")
    lines = head.split(b"\r\n")
    assert lines[0].startswith(b"POST /shop/pay/")
    assert lines[0].endswith(b" HTTP/1.1")
    one, two = lines[0].split()[1].removeprefix(b"/shop/pay/").split(b"?of=")
    assert one == two
    assert {b"Host: web:8080", b"X-Team: a", b"X-Harness-Run: run-7"} <= set(lines)
    assert b"Content-Length: %d" % len(body) in lines
    assert {deck.draw(i).bytes.split(b"\r\n\r\n")[1] for i in range(99)} == {
        b'{"sku":"a\\"b","n":[1]}', b'{"sku":7,"n":[1]}',
    }  # fmt: skip


def test_weights() -> None:
    deck = Deck(plan(Request("a", "GET", "/a", 8), Request("b", "GET", "/v1/items:batch", 2)))
    names = Counter(deck.draw(index).name for index in range(5000))
    assert names["a"] == pytest.approx(4000, abs=150)
    assert b"GET /shop/v1/items:batch " in {d.bytes[:25] for d in map(deck.draw, range(99))}


def test_a_plan_survives_its_json() -> None:
    import dataclasses
    import json

    made = plan(
        Request("pay", "POST", "/pay", json="{}", expect=Expect(201)),
        data=(Data("id", values=(1, "x")),),
    )
    assert load_from_json(json.loads(json.dumps(dataclasses.asdict(made)))) == made


@pytest.mark.parametrize(
    ("wanted", "found", "right"),
    [
        ({"a": 1}, {"a": 1, "b": 2}, True),
        ({"a": 1}, {"b": 2}, False),
        ({"a": 1}, {"a": 1.0}, True),
        ({"a": 1}, {"a": True}, False),
        ({"a": {"b": "<= 1"}}, {"a": {"b": 0.5}}, True),
        ({"a": {"b": "<= 1"}}, {"a": {"b": 1.5}}, False),
        ({"a": "> 3"}, {"a": "4"}, False),
        ({"a": "!= 3"}, {"a": 4}, True),
        ({"a": "done"}, {"a": "done"}, True),
        ({"a": [1, 2]}, {"a": [1, 2, 3]}, False),
        ({}, [], False),
    ],
)
def test_expected_json(wanted: Any, found: Any, right: bool) -> None:
    assert matches(wanted, found) is right


def test_outcomes_of_answers() -> None:
    check = checker(Expect(201, '{"age_s":"<= 1"}'))
    assert check(200, b'{"age_s":0}') is Outcome.STATUS
    assert check(201, b'{"age_s":0}') is Outcome.OK
    assert check(201, b'{"age_s":9}') is Outcome.CONTENT
    assert check(201, b"<html>") is Outcome.CONTENT
    assert checker(Expect())(302, b"") is Outcome.OK
    assert checker(Expect())(404, b"") is Outcome.STATUS


def test_without_a_load_the_front_door_is_probed(tmp_path: Path) -> None:
    from harness.run.plan import make_plan
    from harness.substrates.registry import substrate_for

    read = experiment(tmp_path, "")
    load = make_plan(read, substrate_for(read.system), 1, "r").load
    assert load is not None
    assert load.prober
    assert (load.entry, load.url, load.rate) == ("web", "http://web:8080", ((0.0, 20.0),))
    assert [(r.method, r.path) for r in load.requests] == [("GET", "/health")]


def test_secrets_are_known_only_to_the_worker(tmp_path: Path) -> None:
    from harness.load.fast_worker import in_the_clear
    from harness.load.spec import WorkerSpec

    made = plan(Request("pay", "POST", "/pay", json='{"key":"$(env:KEY)"}'))
    spec = in_the_clear(WorkerSpec(made, 0, 1, str(tmp_path)), {"KEY": "s3cret"})
    assert b'{"key":"s3cret"}' in Deck(spec.plan).draw(0).bytes
