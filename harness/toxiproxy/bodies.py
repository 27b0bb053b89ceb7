"""Bodies of requests: what cannot be read is an answer with a 400."""

from __future__ import annotations

from typing import Any

from harness.toxiproxy import gojson
from harness.toxiproxy.errors import bad_body


def read(body: bytes) -> Any:
    """As `gojson.read`. Raises `ApiError`."""
    try:
        return gojson.read(body)
    except gojson.Wrong as error:
        raise bad_body(error) from None


def fill(value: Any, fields: dict[str, gojson.Field], into: dict[str, Any]) -> None:
    """As `gojson.fill`. Raises `ApiError`."""
    try:
        gojson.fill(value, fields, into)
    except gojson.Wrong as error:
        raise bad_body(error) from None
