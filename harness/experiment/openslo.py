"""Reads an OpenSLO v1 file of kind SLO as objectives of an experiment.

Occurrences count requests, Timeslices slices of time in which enough requests were good,
RatioTimeslices the average of the slices. `timeWindow` is that of the business and plays no part:
an experiment's window is its phase, told by the annotation NAME/phase (baseline, fault, after).
NAME/confidence asks for a claim in general; in a fault there is none, and it is that of the bound
which every line prints. NAME/stability-window is how long users must be served well to count as
recovered.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from harness.experiment import codes, openslo_shapes
from harness.experiment.fields import Fields
from harness.experiment.model import Objective
from harness.experiment.openslo_fields import (
    annotation,
    choice,
    number,
    slice_window,
    target,
)
from harness.experiment.openslo_metric import Metric, read_metric
from harness.experiment.problems import Problems
from harness.experiment.tree import Node
from harness.units import BadQuantity, Duration, Share

_METHODS = ("Occurrences", "Timeslices", "RatioTimeslices")
_PHASES = {"baseline": "baseline", "fault": "during", "after": "after"}
_LOWER = {"lt": "<", "lte": "<="}


@dataclass(frozen=True)
class _Frame:
    """What all objectives of a file share."""

    name: str
    metric: Metric
    method: str
    window: str
    confidence: float
    stable_s: float


def is_one(tree: Node) -> bool:
    """Whether a file says that it is of OpenSLO, in whatever version."""
    version = tree.data.get("apiVersion") if isinstance(tree.data, dict) else None
    return version is not None and version.value.raw.startswith("openslo")


def read_slo(tree: Node, problems: Problems) -> dict[str, Objective]:
    """The objectives of a file by name; empty where it cannot be read (and that is reported)."""
    root = Fields(tree, openslo_shapes.SLO, problems)
    choice(root, "apiVersion", ("openslo/v1",))
    choice(root, "kind", ("SLO",))
    metadata = root.below("metadata", openslo_shapes.METADATA)
    spec = root.below("spec", openslo_shapes.SPEC)
    if metadata is None or spec is None:
        return {}
    items = [Fields(i, openslo_shapes.OBJECTIVE, problems) for i in spec.items("objectives")]
    if not items and spec.has("objectives"):
        problems.add(spec.node.place, codes.OPENSLO, "objectives has none")
    frame = _frame(metadata, spec)
    if frame is None:
        for item in items:  # so that all problems are reported at once
            target(item)
        return {}
    read = [_objective(item, frame) for item in items]
    names = [frame.name if len(items) == 1 else f"{frame.name}-{i + 1}" for i in range(len(items))]
    return {name: line for name, line in zip(names, read, strict=True) if line}


def _frame(metadata: Fields, spec: Fields) -> _Frame | None:
    metric = read_metric(spec)
    method = choice(spec, "budgetingMethod", _METHODS)
    phase = annotation(metadata, "phase", _phase, "")
    confidence = annotation(metadata, "confidence", _confidence, 0.0)
    stable = annotation(metadata, "stability-window", Duration.parse, Duration(0))
    if metric is None or not method:
        return None
    return _Frame(
        metadata.text("name"), metric, method, phase, 0.0 if phase == "during" else confidence,
        float(stable),
    )  # fmt: skip


def _phase(text: str) -> str:
    if text not in _PHASES:
        raise BadQuantity(f"a phase is one of {', '.join(_PHASES)}, not {text!r}")
    return _PHASES[text]


def _confidence(text: str) -> float:
    value = float(Share.parse(text if "%" in text else f"{float(text) * 100:.10g}%"))
    if not 0.5 <= value < 1:
        raise BadQuantity("a confidence is from 0.5 to below 1")
    return round(value, 12)


# ---------------------------------------------------------------- one objective


def _objective(fields: Fields, frame: _Frame) -> Objective | None:
    wanted = target(fields)
    measured = _measured(fields, frame.metric)
    if wanted is None or measured is None:
        return None
    line = replace(measured, window=frame.window, confidence=frame.confidence)
    if frame.metric.duration:
        return _once(line, fields, frame)
    made = _sliced(line, fields, frame, wanted)
    return _named(made, frame) if made else None


def _measured(fields: Fields, metric: Metric) -> Objective | None:
    """The line without its target: what is good about a request, or the limit of a duration."""
    if not metric.value:
        for key in ("op", "value"):
            if fields.has(key):
                _refuse(fields, key, f"{key} is for a thresholdMetric")
        return metric.objective
    op, value = choice(fields, "op", ("lt", "lte", "gt", "gte")), number(fields, "value")
    if op and op not in _LOWER:
        _refuse(fields, "op", f"{metric.value} is good when lower: lt or lte")
        return None
    if not op or value is None:
        return None
    limit = value / 1e3 if metric.value == "latency_ms" else value
    return replace(metric.objective, op=_LOWER[op], limit=limit)


def _once(line: Objective, fields: Fields, frame: _Frame) -> Objective | None:
    """A duration that happens once in an experiment: it must hold, whatever share of them must."""
    if frame.method != "Occurrences":
        _refuse(fields, "target", f"{frame.metric.value} has no slices of time")
        return None
    window = "after" if line.indicator == "recovery" else ""
    return _named(replace(line, window=window, confidence=0.0), frame)


def _sliced(line: Objective, fields: Fields, frame: _Frame, wanted: float) -> Objective | None:
    if frame.method == "Occurrences":
        return _sharing(line, wanted)
    window = slice_window(fields)
    if frame.confidence:
        _refuse(fields, "target", f"{frame.method} are counted: they have no confidence")
        return None
    if frame.method == "RatioTimeslices":
        return replace(_sharing(line, wanted), slice_s=window) if window else None
    inner = number(fields, "timeSliceTarget", required=True, lowest=0.0, highest=1.0)
    if inner is None or not window:
        return None
    return replace(_sharing(line, inner), slice_s=window, slices=wanted)


def _sharing(line: Objective, share: float) -> Objective:
    """A share of the requests must be good: the quantile of a latency, else the limit."""
    return replace(line, quantile=share) if line.indicator == "latency" else (
        replace(line, limit=share)
    )  # fmt: skip


def _refuse(fields: Fields, key: str, said: str) -> None:
    node = fields.node_of(key)
    fields.problems.add(node.place if node else fields.node.place, codes.OPENSLO, said)


# ---------------------------------------------------------------- in words


def _named(line: Objective, frame: _Frame) -> Objective:
    """The objective with the line that says the same."""
    of = f"({line.name})" if line.name else ""
    limit = Share(line.limit) if line.indicator == "availability" else Duration(line.limit)
    name = f"p{line.quantile * 100:.8g}" if line.indicator == "latency" else line.indicator
    parts = [f"{name}{of} {line.op} {limit}", _slices(line), line.window]
    parts.append(f"at {Share(line.confidence)}" if line.confidence else "")
    text = " ".join(filter(None, [*parts, f"({frame.name})"]))
    return replace(line, text=text, stable_s=frame.stable_s)


def _slices(line: Objective) -> str:
    length = Duration(line.slice_s)
    if not line.slice_s:
        return ""
    if not line.slices:
        return f"on the average of slices of {length}"
    return f"in {Share(line.slices)} of slices of {length}"
