"""YAML text as a tree in which every value knows its place, read strictly.

PyYAML scans and composes; what plain words mean is decided here, so that none of YAML 1.1's
surprises gets through. Whatever is wrong is reported to `Problems`; only unreadable text gives no
tree at all. The pure Python scanner is used: libyaml words its errors differently.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import yaml

from harness.experiment import codes, words
from harness.experiment.problems import Place, Problems

_MAX_BYTES = 256 * 1024
_MAX_DEPTH = 20
_MAX_VALUES = 5_000


@dataclass(frozen=True)
class Entry:
    key: Node
    value: Node


@dataclass(frozen=True)
class Node:
    """A value: scalar, list of nodes, or mapping of keys to entries. `raw` is a scalar as written;
    `exact` says that its characters stand in the file one by one from `place` on. `broken`: what is
    wrong with it was reported, so that nobody needs to say more."""

    place: Place
    data: words.Scalar | tuple[Node, ...] | dict[str, Entry]
    raw: str = ""
    plain: bool = False
    exact: bool = False
    broken: bool = False

    @property
    def is_scalar(self) -> bool:
        return not isinstance(self.data, (tuple, dict))

    @property
    def what(self) -> str:
        """What stands there, for a message."""
        names = {dict: "a mapping", tuple: "a list", bool: "true or false", str: "text"}
        if self.data is None:
            return "nothing"
        return names.get(type(self.data), "a number")

    def at(self, offset: int) -> Place:
        """The place of one of the scalar's characters, or of its beginning where that is unsure."""
        shift = offset if self.exact else 0
        return replace(self.place, column=self.place.column + shift)


def read_tree(path: str, content: bytes, problems: Problems) -> Node | None:
    """The tree of a file with one document, or None when it cannot be read (and reported)."""
    text = _decode(path, content, problems)
    if text is None:
        return None
    loader = _Loader(text)
    try:
        return _Converter(path, text, problems).document(loader)
    except yaml.MarkedYAMLError as error:
        _report_syntax(path, error, problems)
    except _TooBigError as error:
        problems.add(_place(path, error.mark), codes.TOO_BIG, str(error))
    finally:
        loader.dispose()
    return None


class _TooBigError(Exception):
    def __init__(self, message: str, mark: yaml.Mark) -> None:
        super().__init__(message)
        self.mark = mark


def _decode(path: str, content: bytes, problems: Problems) -> str | None:
    if len(content) > _MAX_BYTES:
        problems.add(Place(path), codes.TOO_BIG, f"the file has more than {_MAX_BYTES:,} bytes")
        return None
    try:
        text = content.decode("utf-8").replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        place = _place_of(path, content[: error.start].decode("utf-8"))
        problems.add(place, codes.BYTES, "the file is not UTF-8 from here on", "save it as UTF-8")
        return None
    problems.know(path, text)
    if text.startswith("\ufeff"):
        problems.add(
            Place(path), codes.BYTES, "the file begins with a byte order mark",
            "save it as UTF-8 without BOM",
        )  # fmt: skip
        return None
    odd = yaml.reader.Reader.NON_PRINTABLE.search(text)
    if odd:
        place = _place_of(path, text[: odd.start()])
        problems.add(place, codes.BYTES, f"a control character, U+{ord(odd[0]):04X}")
        return None
    return text


def _place_of(path: str, before: str) -> Place:
    return Place(path, before.count("\n") + 1, len(before) - before.rfind("\n"))


def _place(path: str, mark: yaml.Mark | None) -> Place:
    return Place(path, mark.line + 1, mark.column + 1) if mark else Place(path)


def _report_syntax(path: str, error: yaml.MarkedYAMLError, problems: Problems) -> None:
    said = str(error.problem or "this is not YAML")
    hint = ""
    if "'\\t'" in said:
        said, hint = "a tab", "indent with spaces"
    elif "mapping values are not allowed" in said:
        said, hint = "a colon is not expected here", "quote a text that has a colon and a space"
    elif said.startswith(("expected <block end>", "expected ',' or")):
        hint = "look at the line above too: indentation, a missing quote or bracket"
    elif "cannot start any token" in said:
        hint = "quote a text that begins with this character"
    mark = error.problem_mark or error.context_mark
    if "quoted scalar" in str(error.context):
        said, hint, mark = "a quote that is not closed", "", error.context_mark
    where = f" ({error.context})" if error.context and said == error.problem and not hint else ""
    place = _place(path, mark)
    problems.add(place, codes.SYNTAX, f"{said}{where}", hint)


class _Loader(yaml.SafeLoader):
    """Composes nodes, bounded in depth, and remembers explicit tags."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.tagged: list[yaml.Mark] = []
        self._level = 0

    def compose_node(self, parent: Any, index: Any) -> Any:
        event = self.peek_event()  # type: ignore[no-untyped-call]
        if self._level > _MAX_DEPTH:
            raise _TooBigError(f"nested more than {_MAX_DEPTH} levels deep", event.start_mark)
        if getattr(event, "tag", None) is not None:
            self.tagged.append(event.start_mark)
        self._level += 1
        try:
            return super().compose_node(parent, index)
        finally:
            self._level -= 1


class _Converter:
    """PyYAML's nodes to ours."""

    def __init__(self, path: str, text: str, problems: Problems) -> None:
        self._path = path
        self._text = text
        self._problems = problems
        self._count = 0

    def document(self, loader: _Loader) -> Node | None:
        root = loader.get_node() if loader.check_node() else None
        more = loader.peek_event() if root and loader.check_node() else None  # type: ignore[no-untyped-call]
        for mark in loader.tagged:
            self._report(mark, codes.FOREIGN, "tags are not used here", "remove the tag")
        if root is None:
            self._report(None, codes.EMPTY, "the file is empty")
            return None
        if more is not None:
            self._report(
                more.start_mark, codes.DOCUMENTS, "a second document begins here",
                "one file, one document: put it into a file of its own",
            )  # fmt: skip
        return self._node(root, 0)

    def _report(self, mark: yaml.Mark | None, code: codes.Code, said: str, hint: str = "") -> None:
        self._problems.add(_place(self._path, mark), code, said, hint)

    def _node(self, node: yaml.Node, depth: int) -> Node:
        self._count += 1
        if self._count > _MAX_VALUES or depth > _MAX_DEPTH:
            said = "too many values; aliases count as what they stand for"
            raise _TooBigError(said, node.start_mark)
        place = _place(self._path, node.start_mark)
        if isinstance(node, yaml.MappingNode):
            return Node(place, self._mapping(node, depth))
        if isinstance(node, yaml.SequenceNode):
            return Node(place, tuple(self._node(item, depth + 1) for item in node.value))
        assert isinstance(node, yaml.ScalarNode)
        return self._scalar(node, place)

    def _mapping(self, node: yaml.MappingNode, depth: int) -> dict[str, Entry]:
        entries: dict[str, Entry] = {}
        for key_node, value_node in node.value:
            if not isinstance(key_node, yaml.ScalarNode):
                self._report(key_node.start_mark, codes.WRONG_TYPE, "a key is text")
                continue
            key = self._scalar(key_node, _place(self._path, key_node.start_mark))
            if self._acceptable(key, entries):
                entries[key.raw] = Entry(key, self._node(value_node, depth + 1))
        return entries

    def _acceptable(self, key: Node, others: dict[str, Entry]) -> bool:
        if key.raw == "<<" and key.plain:
            said, hint = "merge keys are not used here", "write the keys out, or use vars"
            self._problems.add(key.place, codes.FOREIGN, said, hint)
        elif key.raw in others:
            said = f"{key.raw!r} stands twice in this mapping"
            hint = f"first on line {others[key.raw].key.place.line}"
            self._problems.add(key.place, codes.DUPLICATE_KEY, said, hint)
        else:
            return True
        return False

    def _scalar(self, node: yaml.ScalarNode, place: Place) -> Node:
        raw = str(node.value)
        plain = node.style is None
        quote = 1 if node.style in ("'", '"') else 0
        begin = node.start_mark.index + quote
        exact = node.style not in ("|", ">") and self._text.startswith(raw, begin)
        if exact and quote:
            place_of_text = replace(place, column=place.column + 1)
            return Node(place_of_text, raw, raw, plain=False, exact=True)
        found = Node(place, raw, raw, plain=plain, exact=exact)
        return understand(found, self._problems) if plain else found


def understand(node: Node, problems: Problems) -> Node:
    """A plain scalar with its meaning. A surprise is reported, and stays text."""
    surprise = words.surprise(node.raw)
    if surprise is None:
        return replace(node, data=words.meaning(node.raw))
    problems.add(node.place, codes.SURPRISE, surprise.said, surprise.hint)
    return replace(node, broken=True)
