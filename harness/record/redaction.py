"""Values from the environment are secrets: what is written holds `$(env:NAME)` in their place.

The reference is what the person wrote, so nothing is lost: whoever needs the value (a load worker)
resolves it in its own environment. Caveat: in free text a value shorter than 4 characters stays,
since hiding it would spoil names and numbers that merely look like it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

#: Name and value of each, as `Experiment.secrets` has them.
Secrets = tuple[tuple[str, str], ...]

SHORTEST = 4
_REFERENCE = re.compile(r"\$\(env:([^()]+)\)")


def redacted(data: Any, secrets: Secrets) -> Any:
    """The same JSON data with references in place of secrets, in all of its strings."""
    found = [(name, value) for name, value in secrets if len(value) >= SHORTEST]
    return _redacted(data, found) if found else data


def _redacted(data: Any, secrets: list[tuple[str, str]]) -> Any:
    if isinstance(data, str):
        return referred(data, secrets)
    if isinstance(data, Mapping):
        return {_redacted(key, secrets): _redacted(value, secrets) for key, value in data.items()}
    if isinstance(data, (list, tuple)):
        return [_redacted(item, secrets) for item in data]
    return data


def referred(text: str, secrets: Secrets | list[tuple[str, str]]) -> str:
    """References in place of values, the longest first: one may contain another."""
    for name, value in sorted(secrets, key=lambda secret: -len(secret[1])):
        text = text.replace(value, f"$(env:{name})")
    return text


def resolved(text: str, environment: Mapping[str, str]) -> str:
    """The values again; a reference that the environment lacks stays as it is."""
    return _REFERENCE.sub(lambda match: environment.get(match[1], match[0]), text)
