"""The report as one offline page: style, script and every chart inside the file.

It says everything without its script, which only adds the crosshair; it loads nothing from
anywhere, and its content policy would not let it.
"""

from __future__ import annotations

import math
from functools import cache
from pathlib import Path
from typing import Any, TextIO

import jinja2

from harness.report import words
from harness.report.fault_chart import charts_of
from harness.report.record import Record, Window
from harness.report.timeline import Timeline, timeline_of
from harness.report.usage_charts import usage_charts

FILE = "report.html"

_TEMPLATES = Path(__file__).parent / "templates"


def render(record: Record, out: TextIO) -> None:
    timeline = timeline_of(record)
    page = _page().stream(
        record=record,
        verdict=words.verdict_of(record),
        tiles=_tiles(record),
        timeline=timeline,
        charts=usage_charts(record, timeline),
        crosshair=_crosshair(record, timeline) if timeline else None,
    )
    out.writelines(page)


@cache
def _page() -> jinja2.Template:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals.update(words=words, charts_of=charts_of)
    environment.filters["clean"] = words.printable
    return environment.get_template("report.html.j2")


def _tiles(record: Record) -> tuple[tuple[str, str, str], ...]:
    """The few numbers to take home: label, number, what it is a number of."""
    tiles = []
    during = [w for w in record.windows if w.name.startswith("during") and w.count]
    for window in (during or list(record.windows))[:1] if len(during) < 2 else [_worst(during)]:
        tiles += [
            ("Availability", words.quantity(window.availability, "share"), window.name),
            ("P99", words.milliseconds(window.p99_ms), window.name),
        ]
    tiles += [
        ("Recovery", words.recovery(r), f"after {r.intervention}") for r in record.recoveries[:1]
    ]
    if record.load:
        load = record.load
        tiles.append(
            ("Load", words.rate(load.rate), f"{load.sent:,} of {load.due:,} {load.counts} sent")
        )
    return tuple(tiles)


def _worst(windows: list[Window]) -> Window:
    return min(windows, key=lambda w: 1.0 if w.availability is None else w.availability)


def _crosshair(record: Record, timeline: Timeline) -> dict[str, Any]:
    """The numbers behind the lanes, short enough for an hour at one bin a second."""
    return {
        "start": timeline.start_s,
        "step": timeline.step_s,
        "end": timeline.end_s,
        "columns": [
            {"label": c.label, "unit": c.unit, "values": [_short(v) for v in c.values]}
            for c in timeline.columns
        ],
        "faults": [
            {"name": e.intervention, "from": e.injected_at_s, "to": e.gone_at_s}
            for e in record.effects
            if e.injected_at_s is not None
        ],
    }


def _short(value: float | None) -> float | str | None:
    if value is None:
        return None
    return "failed" if math.isinf(value) else float(f"{value:.4g}")
