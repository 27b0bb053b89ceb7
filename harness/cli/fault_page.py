"""One fault in words: what it does, where it acts, its fields. For `explain` and docs/faults.md."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from types import UnionType
from typing import Any, Literal, Union, get_args, get_origin

from pydantic.fields import FieldInfo

from harness.faults import registry
from harness.faults.examples import example as written
from harness.faults.fault import Event, Fault
from harness.units import Quantity


@dataclass(frozen=True)
class Row:
    """A field: `takes` says how it is written, `default` is empty where it must be given."""

    name: str
    takes: str
    default: str
    about: str


def rows(fault: type[Fault]) -> tuple[Row, ...]:
    return tuple(_row(name, info) for name, info in fault.model_fields.items())


def faults() -> tuple[type[Fault], ...]:
    """Every registered fault, by name."""
    found = (registry.find(name) for name in registry.names())
    return tuple(fault for fault in found if fault)


def summary(fault: type[Fault]) -> str:
    """The first sentence of what it does."""
    return " ".join((fault.__doc__ or "").split("\n\n")[0].split())


def example(fault: type[Fault]) -> str:
    """A line of a timeline."""
    where = "from: api, to: database" if fault.on_edges else "target: api"
    last = "" if issubclass(fault, Event) else "for: 15s, "
    given = "".join(
        f", {n}: {written(i)}" for n, i in fault.model_fields.items() if i.is_required()
    )
    return f"- {{id: one, at: 8s, {last}fault: {fault.kind}, {where}{given}}}"


def text(fault: type[Fault]) -> str:
    """For a terminal."""
    kind = (
        "event (happens once)"
        if issubclass(fault, Event)
        else "condition (held for `for`, taken back)"
    )
    lines = [f"{fault.kind}: {summary(fault)}", "", f"  {kind}; acts on {_acts_on(fault)}", ""]
    for row in rows(fault):
        required = f"default {row.default}" if row.default else "required"
        lines += [f"  {row.name}: {row.takes} ({required})", f"      {row.about}"]
    return "\n".join([*lines, "", f"  {example(fault)}", ""])


def markdown() -> str:
    """The page docs/faults.md, whole."""
    head = "# Faults\n\nMade from the code by `harness.cli.fault_page`; a test keeps it in step.\n"
    return head + "".join(_section(fault) for fault in faults())


def _section(fault: type[Fault]) -> str:
    kind = "event" if issubclass(fault, Event) else "condition"
    lines = [
        "",
        f"## {fault.kind}",
        "",
        f"{summary(fault)} ({kind}; acts on {_acts_on(fault)}.)",
        "",
    ]
    if fault.model_fields:
        lines += ["| field | takes | default | |", "|---|---|---|---|"]
        lines += [_table_line(row) for row in rows(fault)]
        lines.append("")
    return "\n".join([*lines, "```yaml", example(fault), "```", ""])


def _table_line(row: Row) -> str:
    return f"| `{row.name}` | {row.takes} | {row.default or 'required'} | {row.about} |"


def _acts_on(fault: type[Fault]) -> str:
    if fault.on_edges:
        return "an edge (from, to), or all edges to a target"
    if fault.needs.__name__ == "Links":
        return "a service, replica, zone or client; or from one to another"
    return "a service, replica or zone"


def _row(name: str, info: FieldInfo) -> Row:
    default = "" if info.is_required() else _shown(info.get_default(call_default_factory=False))
    return Row(name, _takes(info.annotation, info.metadata), default, info.description or "")


def _shown(value: object) -> str:
    if isinstance(value, enum.Enum):
        return str(value.value)
    if value and isinstance(value, tuple):
        return f"[{', '.join(map(str, value))}]"
    return "none" if value in (None, (), "") else str(value)


def _takes(annotation: Any, metadata: list[Any]) -> str:
    for item in metadata:
        quantity = getattr(item, "quantity", None)
        if quantity is not None:
            return f"{quantity.what} like {quantity.example}, or a curve"
    if isinstance(annotation, type) and issubclass(annotation, Quantity):
        return f"{annotation.what} like {annotation.example}"
    if isinstance(annotation, type) and issubclass(annotation, enum.Enum):
        return _either(tuple(member.value for member in annotation))
    if get_origin(annotation) is Literal:
        return _either(get_args(annotation))
    if get_origin(annotation) in (Union, UnionType):
        kinds = [kind for kind in get_args(annotation) if kind is not type(None)]
        return " or ".join(_takes(kind, []) for kind in kinds)
    if get_origin(annotation) in (tuple, list):
        inner = get_args(annotation)[0]
        if get_origin(inner) is Literal:
            return f"a list of {_either(get_args(inner))}"
        return f"a list of {_takes(inner, [])}s"
    return {int: "whole number", float: "number", bool: "true or false"}.get(annotation, "text")


def _either(values: tuple[Any, ...]) -> str:
    *others, last = [str(value) for value in values if value != ""]
    return f"{', '.join(others)} or {last}" if others else last
