"""These values as JSON data, over the agent's pipe and in the journal."""

from __future__ import annotations

import dataclasses
from typing import Any, ClassVar, Dict, Type

from harness.agent.effects import curve, made, resources, seen

_TYPES: Dict[str, Type[Any]] = {
    name: cls
    for module in (curve, made, resources, seen)
    for name, cls in vars(module).items()
    if dataclasses.is_dataclass(cls) and isinstance(cls, type)
}


class Undecodable(ValueError):
    """Data that names no type of these modules, or fields that the type does not have."""

    code: ClassVar[str] = "HX701"


def encode(value: Any) -> Any:
    """Plain JSON data: a dataclass becomes its fields plus `type`; tuples become lists."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = {f.name: encode(getattr(value, f.name)) for f in dataclasses.fields(value)}
        return {"type": type(value).__name__, **fields}
    if isinstance(value, (list, tuple)):
        return [encode(item) for item in value]
    if isinstance(value, dict):
        return {key: encode(item) for key, item in value.items()}
    return value


def decode(data: Any) -> Any:
    """The inverse of `encode`. Raises `Undecodable`."""
    if isinstance(data, list):
        return tuple(decode(item) for item in data)
    if not isinstance(data, dict):
        return data
    if "type" not in data:
        return {key: decode(item) for key, item in data.items()}
    cls = _TYPES.get(data["type"])
    if cls is None:
        raise Undecodable(f"no type {data['type']!r}")
    try:
        return cls(**{key: decode(item) for key, item in data.items() if key != "type"})
    except TypeError as error:
        raise Undecodable(str(error)) from None
