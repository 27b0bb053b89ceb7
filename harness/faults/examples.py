"""A value that one could write for a field of a fault, from its examples or from its unit."""

from __future__ import annotations

from pydantic.fields import FieldInfo

from harness.units import Quantity


def example(info: FieldInfo) -> str:
    for item in info.examples or ():
        if isinstance(item, (str, int, float)):
            return str(item)
    for item in (*info.metadata, info.annotation):
        quantity = getattr(item, "quantity", item)
        if isinstance(quantity, type) and issubclass(quantity, Quantity):
            return quantity.example.split()[0]
    return "…"
