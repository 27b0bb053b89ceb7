"""The JSON report: a promise to other programs, documented by schemas/report.v1.json.

Fields are added without a new version, never renamed or removed. What has no number (a P99 beyond
the failures) is null: JSON has no infinity.
"""

from __future__ import annotations

import dataclasses
import json
import math
from typing import Any, TextIO

from harness.report.record import Record

FILE = "report.json"

#: Only for charts; the recordings hold the truth behind them.
_CHARTS = frozenset({"series", "tracks", "usages"})


def render(record: Record, out: TextIO) -> None:
    json.dump(as_data(record), out, indent=2, ensure_ascii=False, allow_nan=False)
    out.write("\n")


def as_data(record: Record) -> dict[str, Any]:
    data: dict[str, Any] = _plain(record)
    return {"schema_version": data.pop("schema_version"), **data}


def _plain(value: Any) -> Any:
    if dataclasses.is_dataclass(value):
        names = (f.name for f in dataclasses.fields(value) if f.name not in _CHARTS)
        return {name: _plain(getattr(value, name)) for name in names}
    if isinstance(value, (tuple, list)):
        return [_plain(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
