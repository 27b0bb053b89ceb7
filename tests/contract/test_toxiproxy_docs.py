"""Each route of our own API has a row in its page, and each row has a route."""

import random
import re
from pathlib import Path

from harness.toxiproxy.collection import Collection
from harness.toxiproxy.udp import Flows
from harness.toxiproxy.v1 import V1

PAGE = Path(__file__).parents[2] / "docs" / "toxiproxy.md"


def test_every_route_is_in_the_page() -> None:
    api = V1(Collection(lambda *_: None), Flows(random.Random(0)))
    routes = {(m, path.pattern.replace("([^/]+)", "{}")) for ms, path, _ in api.routes for m in ms}
    rows = re.findall(r"^\| `([A-Z]+) (/v1\S*)` \|", PAGE.read_text(), re.MULTILINE)
    assert {(method, re.sub(r"{\w+}", "{}", path)) for method, path in rows} == routes
