"""Reads the lines of the timeline: where, when, and the fault with its own fields.

A fault's fields are a pydantic model that this room gets from a callable; its complaints are told
in our own words, because pydantic's change from one version to the next.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from harness.experiment import codes, shapes
from harness.experiment.fields import Fields, plain_data
from harness.experiment.labels import parsed, parsed_fields
from harness.experiment.model import Intervention, Where
from harness.experiment.problems import Place, Problems, did_you_mean, nearest
from harness.experiment.system_model import System
from harness.experiment.targets import misplaced
from harness.experiment.tree import Entry, Node
from harness.units import Duration

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails


class FaultModel(Protocol):
    """What this room knows of a fault's class."""

    @property
    def kind(self) -> str: ...

    @property
    def needs(self) -> type: ...

    @property
    def on_edges(self) -> bool: ...

    @property
    def model_fields(self) -> Mapping[str, Any]: ...

    def model_validate(self, obj: Any, /, *, context: Any = None) -> Any: ...

    def model_json_schema(self) -> dict[str, Any]: ...


FindFault = Callable[[str], Any]

_PICK = re.compile(r"all|one|oldest|[1-9]\d{0,3}|([1-9]\d?|100)%")


@dataclass(frozen=True)
class Context:
    """What a line of the timeline is judged against. In a system that is not `sound`, only names
    are: the rest would be told twice."""

    system: System | None
    sound: bool
    entry: str
    directory: Path
    find_fault: FindFault
    fault_names: Callable[[], Iterable[str]]
    problems: Problems


def read_timeline(nodes: tuple[Node, ...], context: Context) -> tuple[Intervention, ...]:
    read = tuple(_intervention(node, context) for node in nodes)
    seen: dict[str, Node] = {}
    for node, intervention in zip(nodes, read, strict=True):
        if not intervention.id:
            continue
        if intervention.id in seen:
            place = _place_of(node, "id")
            first = seen[intervention.id].place.line
            said = f"the id {intervention.id!r} is taken"
            context.problems.add(place, codes.DUPLICATE_ID, said, f"first on line {first}")
        seen.setdefault(intervention.id, node)
    return read


def _intervention(node: Node, context: Context) -> Intervention:
    fields = Fields(node, shapes.INTERVENTION, context.problems, strict=False)
    kind = fields.text("fault")
    model = context.find_fault(kind) if kind else None
    where = _where(fields, context.problems)
    fault = None
    if model is not None:
        fault = _fault(fields, model, context)
        _check_end(fields, model, context)
        _check_where(fields, where, model, context)
    elif kind:
        _report_unknown(fields, kind, context)
    return Intervention(
        id=fields.name("id"), kind=kind, at=fields.duration("at"), lasts=_lasts(fields),
        where=where, fault=fault, line=node.place.line,
        replaced=fields.choice("replaced", ("follow", "end")) if fields.has("replaced") else "",
    )  # fmt: skip


def _lasts(fields: Fields) -> Duration | None:
    lasts, node = fields.optional_duration("for"), fields.node_of("for")
    if lasts is not None and lasts <= 0 and node and node.raw.startswith("0"):
        fields.problems.add(node.place, codes.QUANTITY, "for 0s is no time at all")
    return lasts


def _where(fields: Fields, problems: Problems) -> Where:
    pick = fields.node_of("pick")
    chosen = pick.raw if pick else "all"
    if pick and not _PICK.fullmatch(chosen):
        said = f"pick is all, one, oldest, a number or a percentage, not {chosen or pick.what}"
        problems.add(pick.place, codes.CHOICE, said)
    where = Where(
        fields.text("target"), fields.text("from"), fields.text("to"), chosen,
        _selector(fields, "labels", "app=web,tier!=db"),
        _selector(fields, "fields", "spec.nodeName=n1"),
    )  # fmt: skip
    chosen_by = fields.has("labels") or fields.has("fields")
    if chosen_by and not (fields.has("target") or fields.has("from")):
        return where
    if fields.has("target") == (fields.has("from") or fields.has("to")):
        both = "target and from/to exclude each other" if fields.has("target") else ""
        said = both or "it does not say where it acts"
        place = _place_of(fields.node, "target" if both else "fault")
        problems.add(place, codes.WHERE, said, "write target: api, or from: api, to: database")
    elif fields.has("from") != fields.has("to"):
        there, missing = ("from", "to") if fields.has("from") else ("to", "from")
        said = f"{there} without {missing}"
        hint = f"add {missing}, or write target: {where.origin or where.to}"
        problems.add(_place_of(fields.node, there), codes.WHERE, said, hint)
    return where


def _selector(fields: Fields, key: str, example: str) -> str:
    selector, node = fields.text(key), fields.node_of(key)
    if node and selector:
        if fields.has("target") or fields.has("from") or fields.has("to"):
            said = f"{key} stand in place of target and from"
            fields.problems.add(node.place, codes.WHERE, said)
        try:
            parsed(selector) if key == "labels" else parsed_fields(selector)
        except ValueError as error:
            fields.problems.add(node.place, codes.WHERE, str(error), example)
    return selector


def _place_of(node: Node, key: str) -> Place:
    """The value of a key, or the node itself."""
    entries = node.data if isinstance(node.data, dict) else {}
    return entries[key].value.place if key in entries else node.place


def _report_unknown(fields: Fields, kind: str, context: Context) -> None:
    hint = did_you_mean(kind, context.fault_names(), "faults")
    hint = hint if hint.startswith("did you mean") else "run `harness list faults`"
    place = _place_of(fields.node, "fault")
    context.problems.add(place, codes.FAULT, f"there is no fault {kind!r}", hint)


def is_event(model: FaultModel) -> bool:
    """An event has an act, a condition has an effect."""
    return hasattr(model, "act")


def _check_end(fields: Fields, model: FaultModel, context: Context) -> None:
    if is_event(model) and fields.has("for"):
        said = f"{model.kind} happens once; it takes no `for`"
        context.problems.add(_place_of(fields.node, "for"), codes.EVENT_END, said, "remove for")
    if is_event(model) and fields.has("replaced"):
        said = f"{model.kind} happens once: there is nothing to follow or to end"
        place = _place_of(fields.node, "replaced")
        context.problems.add(place, codes.EVENT_END, said, "remove replaced")
    if not is_event(model) and not fields.has("for"):
        said = f"{model.kind} is held: `for` says how long"
        place = _place_of(fields.node, "fault")
        context.problems.add(place, codes.NO_END, said, "for example for: 15s")


def _check_where(fields: Fields, where: Where, model: FaultModel, context: Context) -> None:
    complete = where.target or (where.origin and where.to)
    if context.system is None or not complete or (where.target and where.origin):
        return
    found = misplaced(
        context.system, where, model.needs.__name__, on_edges=model.on_edges, entry=context.entry
    )
    if found and (context.sound or found.code is codes.TARGET):
        known = found.code is codes.TARGET
        said = found.said if known else f"{model.kind}: {found.said}"
        context.problems.add(_place_of(fields.node, found.key), found.code, said, found.hint)


# ---------------------------------------------------------------- a fault's own fields


def _fault(fields: Fields, model: FaultModel, context: Context) -> Any:
    from pydantic import ValidationError

    entries = {entry.key.raw: entry for entry in fields.unknown()}
    sound = {name: entry for name, entry in entries.items() if not entry.value.broken}
    meant = {nearest(name, model.model_fields) for name in entries}
    try:
        given = {n: plain_data(e.value) for n, e in sound.items()}
        return model.model_validate(given, context=context.directory)
    except ValidationError as error:
        for detail in error.errors(include_url=False):
            if detail["type"] != "missing" or detail["loc"][0] not in meant:
                _report(fields, model, sound, detail, context.problems)
    return None


def _report(
    fields: Fields, model: FaultModel, entries: dict[str, Entry], detail: ErrorDetails,
    problems: Problems,
) -> None:  # fmt: skip
    explain = f"run `harness explain {model.kind}`"
    name = str(detail["loc"][0]) if detail["loc"] else ""
    kind, entry = detail["type"], entries.get(name)
    if kind == "missing":
        place = _place_of(fields.node, "fault")
        problems.add(place, codes.MISSING_KEY, f"{model.kind} needs {name}", explain)
    elif kind == "extra_forbidden" and entry:
        known = (*model.model_fields, *shapes.INTERVENTION.names)
        hint = did_you_mean(name, known, "keys")
        said = f"{model.kind} has no key {name!r}"
        problems.add(entry.key.place, codes.UNKNOWN_KEY, said, f"{hint}; {explain}")
    elif entry is None:
        said = f"{model.kind}: {_said(detail)}"
        problems.add(_place_of(fields.node, "fault"), codes.FIELD, said, explain)
    else:
        node = _deepest(entry.value, detail["loc"][1:])
        code = codes.QUANTITY if _is_quantity(detail) else codes.FIELD
        problems.add(node.place, code, f"{name}: {_said(detail)}", explain)


def _deepest(node: Node, path: tuple[int | str, ...]) -> Node:
    """The node that an error is about; union tags, which are no keys, are skipped."""
    for part in path:
        if isinstance(node.data, tuple) and isinstance(part, int) and part < len(node.data):
            node = node.data[part]
        elif isinstance(node.data, dict) and part in node.data:
            node = node.data[str(part)].value
    return node


def _is_quantity(detail: ErrorDetails) -> bool:
    return type(detail.get("ctx", {}).get("error")).__name__ == "BadQuantity"


_WORDS = {
    "string_type": "text",
    "int_type": "a whole number",
    "int_parsing": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "float_parsing": "a number",
    "bool_type": "true or false",
    "bool_parsing": "true or false",
    "tuple_type": "a list, like [a, b]",
    "list_type": "a list, like [a, b]",
    "dict_type": "a mapping",
}
_BOUNDS = {
    "greater_than": ("more than", "gt"),
    "greater_than_equal": ("at least", "ge"),
    "less_than": ("less than", "lt"),
    "less_than_equal": ("at most", "le"),
}


def _said(detail: ErrorDetails) -> str:
    """Our words for one of pydantic's complaints."""
    kind, context = detail["type"], detail.get("ctx", {})
    found = detail["input"]
    if kind in _WORDS:
        return f"expected {_WORDS[kind]}, not {found!r}"
    if kind in ("literal_error", "enum"):
        return f"expected {context['expected']}, not {found!r}"
    if kind in _BOUNDS:
        words, key = _BOUNDS[kind]
        return f"expected {words} {context[key]}, not {found!r}"
    if "error" in context:
        return str(context["error"])
    return detail["msg"]
