"""As much of JSON Schema as our schemas use, to check files against them."""

from __future__ import annotations

import re
from typing import Any

TYPES = {
    "string": str, "object": dict, "array": list, "boolean": bool, "null": type(None),
    "integer": int, "number": (int, float),
}  # fmt: skip
KNOWN = {
    "$schema", "$id", "$defs", "$ref", "title", "description", "examples", "default", "type",
    "properties",
    "required", "additionalProperties", "propertyNames", "minProperties", "items", "prefixItems",
    "anyOf", "oneOf", "enum", "const", "pattern", "minimum", "maximum", "exclusiveMinimum",
    "exclusiveMaximum", "minItems", "maxItems",
}  # fmt: skip


def accepts(schema: Any, value: Any, root: Any) -> bool:
    """Whether `value` is valid. Fails on keywords that it does not know."""
    if isinstance(schema, bool):
        return schema
    assert set(schema) <= KNOWN, set(schema) - KNOWN
    if "$ref" in schema and not accepts(_resolve(schema["$ref"], root), value, root):
        return False
    return all(check(schema, value, root) for check in (_types, _choices, _mapping, _list, _number))


def _resolve(reference: str, root: Any) -> Any:
    for part in reference.removeprefix("#/").split("/"):
        root = root[part]
    return root


def _types(schema: Any, value: Any, root: Any) -> bool:
    names = schema.get("type", [])
    names = [names] if isinstance(names, str) else names
    fits = any(
        isinstance(value, TYPES[name]) and (name == "boolean" or not isinstance(value, bool))
        for name in names
    )
    if isinstance(value, str) and not re.search(schema.get("pattern", ""), value):
        return False
    return fits or not names


def _choices(schema: Any, value: Any, root: Any) -> bool:
    any_of = [accepts(s, value, root) for s in schema.get("anyOf", [True])]
    one_of = [accepts(s, value, root) for s in schema.get("oneOf", [True])]
    listed = value in schema.get("enum", [value]) and schema.get("const", value) == value
    return any(any_of) and sum(one_of) == 1 and listed


def _mapping(schema: Any, value: Any, root: Any) -> bool:
    if not isinstance(value, dict):
        return True
    properties, rest = schema.get("properties", {}), schema.get("additionalProperties", True)
    return (
        all(key in value for key in schema.get("required", []))
        and len(value) >= schema.get("minProperties", 0)
        and all(accepts(schema.get("propertyNames", True), key, root) for key in value)
        and all(accepts(properties.get(key, rest), item, root) for key, item in value.items())
    )


def _list(schema: Any, value: Any, root: Any) -> bool:
    if not isinstance(value, list):
        return True
    enough = schema.get("minItems", 0) <= len(value) <= schema.get("maxItems", len(value))
    return enough and all(accepts(schema.get("items", True), item, root) for item in value)


def _number(schema: Any, value: Any, root: Any) -> bool:
    if not isinstance(value, (int, float)):
        return True
    above = schema.get("exclusiveMinimum", value - 1)
    below = schema.get("exclusiveMaximum", value + 1)
    inside = schema.get("minimum", value) <= value <= schema.get("maximum", value)
    return inside and above < value < below
