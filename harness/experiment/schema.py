"""The file format as JSON Schema (2020-12), for editors: from the shapes and every fault's model.

One schema a kind of file. A line of the timeline is one of as many closed mappings as there are
faults, told apart by `fault`, so that an editor offers exactly the keys of that fault.
"""

from __future__ import annotations

from collections.abc import Iterable

from harness.experiment import shapes, system_shapes, target_shapes
from harness.experiment.shapes import Key, Schema, Shape
from harness.experiment.timeline import FaultModel, is_event

DIALECT = "https://json-schema.org/draft/2020-12/schema"


def experiment_schema(faults: Iterable[FaultModel]) -> Schema:
    """The schema of an Experiment file that may name these faults."""
    by_kind = {fault.kind: intervention_schema(fault) for fault in faults}
    lines = [{"$ref": f"#/$defs/{kind}"} for kind in by_kind]
    definitions = {
        "intervention": {"oneOf": lines},
        "objective": shape_schema(shapes.OBJECTIVE),
        "inclusion": shape_schema(target_shapes.INCLUSION),
        "request": shape_schema(shapes.REQUEST),
        "expect": shape_schema(shapes.EXPECT),
    }
    return _document(shapes.EXPERIMENT, definitions | by_kind)


def system_schema() -> Schema:
    """The schema of a System file."""
    return _document(system_shapes.SYSTEM, {"service": shape_schema(system_shapes.SERVICE)})


def targets_schema() -> Schema:
    """The schema of a ReliabilityTargets file."""
    return _document(target_shapes.TARGETS, {"target": shape_schema(target_shapes.TARGET)})


def _document(shape: Shape, definitions: dict[str, Schema]) -> Schema:
    title = shape.name.rpartition(" ")[2]
    return {"$schema": DIALECT, "title": title, **shape_schema(shape), "$defs": definitions}


def shape_schema(shape: Shape) -> Schema:
    """A closed mapping."""
    return {
        "description": shape.about,
        "type": "object",
        "properties": {key.name: _key(key) for key in shape.keys},
        "required": [key.name for key in shape.keys if key.required],
        "additionalProperties": False,
    }


def _key(key: Key) -> Schema:
    below = shape_schema(key.schema) if isinstance(key.schema, Shape) else key.schema
    examples = {} if key.example is None else {"examples": [key.example]}
    return {**below, "description": key.about, **examples}


def intervention_schema(fault: FaultModel) -> Schema:
    """A line of the timeline with this fault."""
    own = fault.model_json_schema()
    envelope = {key.name: _key(key) for key in shapes.INTERVENTION.keys}
    envelope["fault"] = {"const": fault.kind, "description": own.get("description", "")}
    required = ["id", "at", "fault", *own.get("required", [])]
    if is_event(fault):
        del envelope["for"]
    else:
        required.append("for")
    properties = {name: _or_variable(value) for name, value in own.get("properties", {}).items()}
    return {
        "description": own.get("description", ""),
        "type": "object",
        "properties": envelope | properties,
        "required": required,
        "anyOf": [{"required": [*keys]} for keys in (("target",), ("labels",), ("from", "to"))],
        "additionalProperties": False,
        **({"$defs": own["$defs"]} if "$defs" in own else {}),
    }


def _or_variable(schema: Schema) -> Schema:
    """`$(name)` may stand for any value that is not text already."""
    if schema.get("type") == "string" and "enum" not in schema:
        return schema
    kept = ("description", "examples", "default")
    outside: Schema = {key: schema[key] for key in kept if key in schema}
    inside: Schema = {key: value for key, value in schema.items() if key not in outside}
    inside.pop("title", None)
    return {"anyOf": [inside, shapes.VARIABLE], **outside}
