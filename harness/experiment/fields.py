"""Reads the values of one mapping by key and type; what is wrong is reported, once, at its place.

A getter gives its default where the key is absent or wrong, so that reading goes on and a person
sees all problems of a file at once. Nothing made from defaults gets out: the loader raises.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import TypeVar

from harness.curves import Varying
from harness.experiment import codes
from harness.experiment.problems import Problems, did_you_mean, nearest
from harness.experiment.shapes import Shape
from harness.experiment.tree import Entry, Node
from harness.units import BadQuantity, Duration, Quantity

Q = TypeVar("Q", bound=Quantity)

_NAME = re.compile(r"[a-z]([a-z0-9-]{0,61}[a-z0-9])?")


class Fields:
    """The mapping at `node`, which has the keys of `shape` and those of `open_to`."""

    def __init__(
        self, node: Node, shape: Shape, problems: Problems, *, strict: bool = True
    ) -> None:
        self.node = node
        self.shape = shape
        self.problems = problems
        self._entries = mapping(node, shape.name, problems)
        self._missing(problems)
        if strict:
            for entry in self.unknown():
                self._report_unknown(entry)

    def _missing(self, problems: Problems) -> None:
        for key in self.shape.keys:
            if key.required and isinstance(self.node.data, dict) and not self.meant(key.name):
                example = f"for example {key.name}: {key.example}" if key.example else key.about
                said = f"{self.shape.name} needs {key.name}"
                problems.add(self.node.place, codes.MISSING_KEY, said, example)

    def unknown(self) -> Iterator[Entry]:
        """Entries that the shape does not know."""
        known = self.shape.names
        return (entry for name, entry in self._entries.items() if name not in known)

    def _report_unknown(self, entry: Entry) -> None:
        key = entry.key
        if key.raw in self.shape.later:
            said = f"{key.raw}: not yet; it comes with {self.shape.later[key.raw]}"
            self.problems.add(key.place, codes.LATER, said)
            return
        hint = did_you_mean(key.raw, self.shape.names, "keys")
        if ":" in key.raw and entry.value.data is None:
            hint = "put a space after the colon"
        said = f"{self.shape.name} has no key {key.raw!r}"
        self.problems.add(key.place, codes.UNKNOWN_KEY, said, hint)

    def node_of(self, name: str) -> Node | None:
        """The value of a key. One with nothing behind it is reported and counts as absent, as does
        one that was reported before.
        """
        assert name in self.shape.names, name
        entry = self._entries.get(name)
        if entry is not None and entry.value.data is None:
            self.problems.add(entry.key.place, codes.WRONG_TYPE, f"{name} has no value")
            return None
        return entry.value if entry and not entry.value.broken else None

    def has(self, name: str) -> bool:
        return name in self._entries

    def meant(self, name: str) -> bool:
        """It is there, or what is there was probably meant to be it."""
        names = self.shape.names
        return self.has(name) or any(nearest(e.key.raw, names) == name for e in self.unknown())

    def text(self, name: str, default: str = "") -> str:
        node = self.node_of(name)
        return default if node is None else text(node, name, self.problems, default)

    def name(self, name: str) -> str:
        node = self.node_of(name)
        return "" if node is None else plain_name(node, name, self.problems)

    def names(self, name: str) -> tuple[str, ...]:
        node = self.node_of(name)
        if node is None:
            return ()
        if not isinstance(node.data, tuple):
            wrong(node, f"{name} is a list, like [a, b]", self.problems)
            return ()
        return tuple(plain_name(item, f"an entry of {name}", self.problems) for item in node.data)

    def integer(self, name: str, default: int, lowest: int = 1, highest: int = 1000) -> int:
        node = self.node_of(name)
        if node is None:
            return default
        if isinstance(node.data, bool) or not isinstance(node.data, int):
            wrong(node, f"{name} is a whole number", self.problems)
            return default
        if not lowest <= node.data <= highest:
            said = f"{name} is a whole number from {lowest} to {highest}"
            self.problems.add(node.place, codes.QUANTITY, said)
            return default
        return node.data

    def flag(self, name: str) -> bool:
        node = self.node_of(name)
        if node is not None and not isinstance(node.data, bool):
            wrong(node, f"{name} is true or false", self.problems)
        return node is not None and node.data is True

    def duration(self, name: str, default: Duration = Duration(0)) -> Duration:  # noqa: B008  frozen
        node = self.node_of(name)
        if node is None or not node.is_scalar:
            if node is not None:
                wrong(node, f"{name} is {Duration.what}, like {Duration.example}", self.problems)
            return default
        try:
            return Duration.parse(node.raw)
        except BadQuantity as error:
            self.problems.add(node.place, codes.QUANTITY, f"{name}: {error}")
            return default

    def optional_duration(self, name: str) -> Duration | None:
        return self.duration(name) if self.has(name) else None

    def curve(self, name: str, quantity: type[Q], directory: Path) -> Varying[Q] | None:
        node = self.node_of(name)
        if node is None:
            return None
        try:
            return Varying.of(quantity, plain_data(node), directory)
        except BadQuantity as error:
            self.problems.add(node.place, codes.QUANTITY, f"{name}: {error}")
            return None

    def choice(self, name: str, choices: tuple[str, ...]) -> str:
        """One of the choices; the first is the default."""
        node = self.node_of(name)
        if node is None:
            return choices[0]
        if node.raw in choices:
            return node.raw
        said = f"{name} is {' or '.join(choices)}, not {node.raw or node.what}"
        self.problems.add(node.place, codes.CHOICE, said)
        return choices[0]

    def pairs(self, name: str) -> tuple[tuple[str, str], ...]:
        """A mapping of names to text; numbers count as they are written."""
        node = self.node_of(name)
        if node is None:
            return ()
        entries = mapping(node, name, self.problems)
        return tuple((key, self._value_of(key, entry.value)) for key, entry in entries.items())

    def _value_of(self, key: str, node: Node) -> str:
        if node.broken:
            return ""
        if isinstance(node.data, (str, int, float)) and not isinstance(node.data, bool):
            return node.raw
        wrong(node, f"{key} is text; quote it if it looks like something else", self.problems)
        return ""

    def below(self, name: str, shape: Shape) -> Fields | None:
        """The mapping behind a key."""
        node = self.node_of(name)
        return None if node is None else Fields(node, shape, self.problems)

    def items(self, name: str) -> tuple[Node, ...]:
        """The entries of a list."""
        node = self.node_of(name)
        if node is None:
            return ()
        if not isinstance(node.data, tuple):
            wrong(node, f"{name} is a list", self.problems)
            return ()
        return tuple(item for item in node.data if not item.broken)


def mapping(node: Node, name: str, problems: Problems) -> dict[str, Entry]:
    """The entries of a mapping; anything else is reported."""
    if isinstance(node.data, dict):
        return node.data
    wrong(node, f"{name} is a mapping of keys to values", problems)
    return {}


def text(node: Node, name: str, problems: Problems, default: str = "") -> str:
    if node.broken:
        return default
    if isinstance(node.data, str) and node.data.strip():
        return node.data
    said = f"{name} is text" + ("; quote it" if node.is_scalar and node.raw else "")
    wrong(node, said, problems)
    return default


def plain_name(node: Node, name: str, problems: Problems) -> str:
    found = text(node, name, problems)
    if not found or _NAME.fullmatch(found):
        return found
    said = f"{name} {found!r} is not lower-case letters, digits and hyphens, a letter first"
    hint = re.sub(r"[^a-z0-9]+", "-", found.lower()).strip("-")
    likely = f"for example {hint}" if _NAME.fullmatch(hint) else ""
    problems.add(node.place, codes.NAME, said, likely)
    return found


def wrong(node: Node, expected: str, problems: Problems) -> None:
    problems.add(node.place, codes.WRONG_TYPE, f"{expected}; here is {node.what}")


def plain_data(node: Node) -> object:
    """The value without places, for models: dict, list or scalar."""
    if isinstance(node.data, dict):
        return {name: plain_data(entry.value) for name, entry in node.data.items()}
    if isinstance(node.data, tuple):
        return [plain_data(item) for item in node.data]
    return node.data
