"""The keys of ReliabilityTargets files, and of what includes them."""

from __future__ import annotations

from harness.experiment.shapes import NAME, TEXT, Key, Shape, document

INCLUDE = Shape(
    "include",
    "Objectives from a ReliabilityTargets or an OpenSLO v1 file.",
    (
        Key("targets", "a set that is shipped, or a path", TEXT, "enterprise", required=True),
        Key("only", "these of it; else all", {"type": "array", "items": TEXT}, ["latency"]),
    ),
)

INCLUSION = Shape(
    "an objective",
    "Lines from another file.",
    (Key("include", INCLUDE.about, INCLUDE, {"targets": "enterprise"}, required=True),),
)

TARGET = Shape(
    "a target",
    "One line to hold, and why.",
    (
        Key("objective", "the line", TEXT, "p99 < 100ms baseline at 95%", required=True),
        Key("about", "what it means to whom", TEXT, "nobody waits"),
        Key("severity", "warn reports without failing", {"enum": ["fail", "warn"]}, "warn"),
    ),
)

TARGETS_SPEC = Shape(
    "spec",
    "Lines to hold, by name.",
    (
        Key(
            "targets",
            "by name",
            {
                "type": "object",
                "minProperties": 1,
                "propertyNames": NAME,
                "additionalProperties": {"$ref": "#/$defs/target"},
            },
            required=True,
        ),
    ),
)

TARGETS = document("ReliabilityTargets", "Lines to hold, for many experiments.", TARGETS_SPEC)
