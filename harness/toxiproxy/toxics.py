"""The toxics of one proxy, in their order, and what they look like to a client."""

from __future__ import annotations

import random
import time
from dataclasses import dataclass, field
from typing import Any

from harness.agent.effects import Curve
from harness.mechanisms.proxy_link import Link
from harness.mechanisms.toxics import STREAMS, TOXICS
from harness.mechanisms.toxics.toxic import Stage
from harness.toxiproxy import gojson
from harness.toxiproxy.bodies import fill, read
from harness.toxiproxy.errors import bad_stream, bad_type, no_toxic, toxic_exists


@dataclass
class Toxic:
    """`stream` as the client wrote it; `numbers` are shared with all links, so that they change at
    once. `met` counts connections; at `ends_at` (monotonic seconds) it goes by itself."""

    name: str
    type: str
    stream: str
    toxicity: float
    numbers: dict[str, Curve]
    since: float = field(default_factory=time.monotonic)
    met: int = 0
    ends_at: float | None = None

    @property
    def ends_in_ms(self) -> int | None:
        if self.ends_at is None:
            return None
        return max(0, round((self.ends_at - time.monotonic()) * 1000))

    @property
    def way(self) -> str:
        return self.stream.lower()

    @property
    def attributes(self) -> dict[str, Any]:
        return {name: int(curve.at(self._age)) for name, curve in self.numbers.items()}

    @property
    def _age(self) -> float:
        return time.monotonic() - self.since

    def shown(self) -> dict[str, Any]:
        return {
            "attributes": self.attributes,
            "name": self.name,
            "type": self.type,
            "stream": self.stream,
            "toxicity": self.toxicity,
        }


class Toxics:
    """Both chains. What is done to them is done to all open `links` before it returns."""

    def __init__(self, links: dict[int, Link], chance: random.Random) -> None:
        self._links, self._chance = links, chance
        self._chains: dict[str, list[Toxic]] = {way: [] for way in STREAMS}

    def all(self) -> list[Toxic]:
        """Upstream first; in each stream in the order of their coming."""
        return [toxic for way in STREAMS for toxic in self._chains[way]]

    def get(self, name: str) -> Toxic:
        """Raises `ApiError` (404)."""
        for toxic in self.all():
            if toxic.name == name:
                return toxic
        raise no_toxic()

    def add(self, toxic: Toxic) -> None:
        """Raises `ApiError` (409)."""
        if any(other.name == toxic.name for other in self.all()):
            raise toxic_exists()
        self._chains[toxic.way].append(toxic)
        for link in tuple(self._links.values()):
            self._put(link, toxic)

    def change(self, toxic: Toxic) -> None:
        """Its numbers have changed."""
        for link in tuple(self._links.values()):
            link.change(toxic.name, toxic.numbers)

    def remove(self, name: str) -> None:
        """Raises `ApiError` (404)."""
        toxic = self.get(name)
        self._chains[toxic.way].remove(toxic)
        for link in tuple(self._links.values()):
            link.take(name)

    def clear(self) -> None:
        for toxic in self.all():
            self.remove(toxic.name)

    def begin(self, link: Link) -> None:
        """A new connection meets all that are there. Whether it will end with a reset is settled
        here for good, as in Toxiproxy."""
        if any(toxic.type == "reset_peer" for toxic in self.all()):
            link.reset_at_end()
        for toxic in self.all():
            self._put(link, toxic)

    def _put(self, link: Link, toxic: Toxic) -> None:
        made: Stage = TOXICS[toxic.type](
            toxic.name, toxic.numbers, toxic.since, self._chance.random()
        )
        made.now = time.monotonic()
        link.put(toxic.way, made, lambda: self._chance.random() < toxic.toxicity)


def new(body: bytes, beyond: gojson.Field | None = None) -> Toxic:
    """From a client's words. Raises `ApiError` (400). `beyond` reads attributes of ours."""
    values: dict[str, Any] = {"stream": "downstream", "toxicity": 1.0, "name": "", "type": ""}
    value = read(body)
    fill(value, _FIELDS, values)
    values.pop("attributes", None)
    if values["stream"].lower() not in STREAMS:
        raise bad_stream()
    values["name"] = values["name"] or f"{values['type']}_{values['stream']}"
    if values["type"] not in TOXICS:
        raise bad_type()
    numbers = {name: Curve.constant(0) for name in TOXICS[values["type"]].names}
    fill(value, {"attributes": _into(numbers, beyond)}, {})
    return Toxic(numbers=numbers, **values)


def update(toxic: Toxic, body: bytes, beyond: gojson.Field | None = None) -> None:
    """Attributes and toxicity alone can change. What was right before something wrong holds, as in
    Toxiproxy. Raises `ApiError` (400)."""
    values: dict[str, Any] = {"toxicity": toxic.toxicity}
    fields = {"attributes": _into(toxic.numbers, beyond), "toxicity": gojson.a_float32}
    fill(read(body), fields, values)
    toxic.toxicity = values["toxicity"]


def _into(numbers: dict[str, Curve], beyond: gojson.Field | None) -> gojson.Field:
    fields = dict.fromkeys(numbers, beyond or _number)
    return lambda given: gojson.fill(given, fields, numbers)


_FIELDS: dict[str, gojson.Field] = {
    "name": gojson.a_string,
    "type": gojson.a_string,
    "stream": gojson.a_string,
    "toxicity": gojson.a_float32,
    "attributes": gojson.an_object,
}


def _number(value: Any) -> Curve:
    return Curve.constant(gojson.an_int(value))
