"""Reads `requests`: load without Locust users, one line a request.

    requests:
      - {get: /basket/:id, weight: 8}
      - {post: /pay, json: {sku: 42}, expect: {status: 201, json: {age_s: "<= 1"}}}
    data: {id: 1..500}

`:id` stands for data, drawn anew for each request; undeclared it is a number from 1 to 1000.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

from harness.experiment import codes, shapes
from harness.experiment.fields import Fields, mapping, plain_data, wrong
from harness.experiment.model import Data, Expect, Request
from harness.experiment.problems import Problems
from harness.experiment.tree import Node

#: `/basket/:id?size=:size`, but not `/v1/items:batch`.
PLACEHOLDER = re.compile(r"(?<=[/=]):([a-z][a-z0-9_]*)")
#: In JSON text, a whole value; not a key.
VALUE = re.compile(r'":([a-z][a-z0-9_]*)"(?!:)')
#: Text in an expectation that is a comparison with a number.
COMPARISON = re.compile(r"(<=|>=|<|>|!=)\s*(-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)")

METHODS = ("get", "post", "put", "patch", "delete")
_RANGE = re.compile(r"(-?\d{1,15})\.\.(-?\d{1,15})")
_DATA_NAME = re.compile(r"[a-z][a-z0-9_]*")


def placeholders(request: Request) -> list[str]:
    """The names of the data that a request needs."""
    return sorted({*PLACEHOLDER.findall(request.path), *VALUE.findall(request.json)})


def read_requests(fields: Fields) -> tuple[Request, ...]:
    problems, read, taken = fields.problems, [], set[str]()
    for node in fields.items("requests"):
        request = _request(Fields(node, shapes.REQUEST, problems))
        if request and request.name in taken:
            said = f"two requests are called {request.name}"
            problems.add(node.place, codes.DUPLICATE_ID, said, "give one a name")
        if request:
            taken.add(request.name)
            read.append(request)
    return tuple(read)


def _request(fields: Fields) -> Request | None:
    methods = [method for method in METHODS if fields.has(method)]
    if len(methods) != 1:
        if not any(fields.unknown()):
            said = f"a request has one of {', '.join(METHODS)}"
            fields.problems.add(fields.node.place, codes.INCOMPLETE, said, "for example {get: /}")
        return None
    path = fields.text(methods[0])
    node = fields.node_of(methods[0])
    if node and path and not re.fullmatch(r"/[!-~]*", path):
        said = f"{path!r} is no path: it begins with / and has no spaces"
        fields.problems.add(node.place, codes.NAME, said)
    return Request(
        name=fields.text("name") if fields.has("name") else path,
        method=methods[0].upper(), path=path, weight=fields.integer("weight", 1),
        json=_json(fields.node_of("json")), expect=_expect(fields),
    )  # fmt: skip


def _json(node: Node | None) -> str:
    return "" if node is None else json.dumps(plain_data(node), separators=(",", ":"))


def _expect(fields: Fields) -> Expect:
    node = fields.node_of("expect")
    if node is None:
        return Expect()
    if not isinstance(node.data, dict):
        return Expect(status=fields.integer("expect", 0, 100, 599))
    below = Fields(node, shapes.EXPECT, fields.problems)
    wanted = below.node_of("json")
    if wanted is not None:
        _check_comparisons(wanted, fields.problems)
    return Expect(below.integer("status", 0, 100, 599), _json(wanted))


def _check_comparisons(node: Node, problems: Problems) -> None:
    """`<= one` would be compared as text, and never be equal to anything."""
    for scalar in _scalars(node):
        text = scalar.data
        if isinstance(text, str) and re.match(r"[<>]|!=", text) and not COMPARISON.fullmatch(text):
            said = f"{text!r} is no comparison with a number"
            problems.add(scalar.place, codes.QUANTITY, said, 'write for example "<= 1"')


def _scalars(node: Node) -> Iterator[Node]:
    if isinstance(node.data, dict):
        for entry in node.data.values():
            yield from _scalars(entry.value)
    elif isinstance(node.data, tuple):
        for item in node.data:
            yield from _scalars(item)
    else:
        yield node


# ---------------------------------------------------------------- data


def read_data(fields: Fields, requests: tuple[Request, ...]) -> tuple[Data, ...]:
    node = fields.node_of("data")
    if node is None:
        return ()
    known = {name for request in requests for name in placeholders(request)}
    read = []
    for name, entry in mapping(node, "data", fields.problems).items():
        if not _DATA_NAME.fullmatch(name):
            said = f"{name!r} is not lower-case letters, digits and underscores"
            fields.problems.add(entry.key.place, codes.NAME, said)
        elif name not in known:
            said = f"no request has :{name}"
            fields.problems.add(entry.key.place, codes.UNKNOWN_KEY, said)
        else:
            read.append(_data(name, entry.value, fields.problems))
    return tuple(read)


def _data(name: str, node: Node, problems: Problems) -> Data:
    if isinstance(node.data, tuple) and node.data:
        return Data(name, values=tuple(_scalar(item, problems) for item in node.data))
    found = _RANGE.fullmatch(node.raw)
    if found is None or int(found[1]) > int(found[2]):
        wrong(node, f"{name} is whole numbers like 1..500, or a list of values", problems)
        return Data(name)
    return Data(name, int(found[1]), int(found[2]))


def _scalar(node: Node, problems: Problems) -> str | int | float | bool:
    if isinstance(node.data, (str, int, float)):
        return node.data
    wrong(node, "a value of data is text or a number", problems)
    return ""
