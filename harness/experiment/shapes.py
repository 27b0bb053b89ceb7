"""Which keys stand where in a file, with their meaning: read by the loader, the schema, the docs.

A `Shape` is a mapping with known keys. `schema` of a key is its JSON Schema, or the shape below it.
`later` are keys that the design has and this version does not.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from harness.curves import curve_schema

Schema = dict[str, Any]

VARIABLE = {"type": "string", "pattern": r"\$\("}
TEXT: Schema = {"type": "string"}
QUANTITY: Schema = {"type": "string"}
INTEGER: Schema = {"anyOf": [{"type": "integer", "minimum": 0}, VARIABLE]}
FLAG: Schema = {"anyOf": [{"type": "boolean"}, VARIABLE]}
NAME: Schema = {"type": "string", "pattern": r"^[a-z]([a-z0-9-]*[a-z0-9])?$"}
NAMES: Schema = {"type": "array", "items": NAME}
WORDS: Schema = {"type": "object", "additionalProperties": {"type": ["string", "number"]}}
SCALARS: Schema = {
    "type": "object",
    "additionalProperties": {"type": ["string", "number", "boolean"]},
}
CURVE: Schema = {"anyOf": curve_schema()}


@dataclass(frozen=True)
class Key:
    name: str
    about: str
    schema: Schema | Shape
    example: Any = None
    required: bool = False


@dataclass(frozen=True)
class Shape:
    """A mapping. `name` completes "… of NAME" in messages."""

    name: str
    about: str
    keys: tuple[Key, ...]
    later: dict[str, str] = field(default_factory=dict)

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(key.name for key in self.keys)


METADATA = Shape(
    "metadata",
    "What it is called, and by whom it is kept.",
    (
        Key("name", "lower-case letters, digits and hyphens", NAME, "checkout", required=True),
        Key("owner", "a team or a person", TEXT, "payments"),
        Key("labels", "to choose experiments by", WORDS, {"tier": "pr"}),
    ),
)

CLOSED = Shape(
    "closed",
    "Users who wait for their answer before they ask again: latency under a stop is understated.",
    (
        Key("users", "how many", INTEGER, 50, required=True),
        Key("think", "how long each waits after an answer", QUANTITY, "1s"),
    ),
)

ARRIVALS = Shape(
    "arrivals",
    "When work is due: an open loop, whatever the system answers.",
    (
        Key("tasks", "tasks of the users per second, or a curve", CURVE, "200/s"),
        Key("requests", "requests per second, or a curve", CURVE, "200/s"),
        Key("poisson", "at random intervals, from the seed; else evenly spaced", FLAG, True),
        Key("closed", CLOSED.about, CLOSED, {"users": 50, "think": "1s"}),
    ),
)

EXPECT = Shape(
    "expect",
    "What makes an answer right.",
    (
        Key("status", "exactly this one; else any below 400", INTEGER, 201),
        Key("json", "fields that it has, with values or comparisons", {}, {"age_s": "<= 1"}),
    ),
)

REQUEST = Shape(
    "a request",
    "One kind of request; `:id` in its path or JSON stands for data.",
    (
        *(
            Key(method, f"the path of a {method.upper()}", TEXT, "/basket/:id")
            for method in ("get", "post", "put", "patch", "delete")
        ),
        Key("name", "what objectives call it; else its path", TEXT, "basket"),
        Key("weight", "how often it comes among the others", INTEGER, 8),
        Key("json", "the body", {}, {"sku": 42}),
        Key("expect", "a status, or more", {"anyOf": [INTEGER, {"$ref": "#/$defs/expect"}]}, 200),
    ),
)

_REQUESTS = {"type": "array", "items": {"$ref": "#/$defs/request"}}
_DATA = {
    "type": "object",
    "additionalProperties": {"anyOf": [TEXT, {"type": "array", "minItems": 1}]},
}

LOAD = Shape(
    "load",
    "Who asks for what, and how often.",
    (
        Key("users", "a file with ordinary Locust users", TEXT, "shopper.py"),
        Key("requests", "in place of users: what is asked for", _REQUESTS, [{"get": "/"}]),
        Key("data", "what `:name` in requests stands for", _DATA, {"id": "1..500"}),
        Key("entry", "the service that they go to", TEXT, "web", required=True),
        Key("arrivals", ARRIVALS.about, ARRIVALS, {"tasks": "200/s"}, required=True),
        Key("warmup", "sent and recorded, in no window; times count from its end", QUANTITY, "5s"),
        Key("timeout", "later is a failure; counts from when it was due", QUANTITY, "1s"),
        Key("workers", "load processes that share the arrivals", INTEGER, 1),
        Key("from", "where they live", {"enum": ["here", "cluster"]}, "cluster"),
        Key("headers", "sent with every request", WORDS, {"X-Tenant": "chaos"}),
    ),
)

OBJECTIVE = Shape(
    "an objective",
    "One line to hold, and how much it matters.",
    (
        Key("objective", "the line", TEXT, "errors < 0.1%", required=True),
        Key("severity", "warn reports without failing", {"enum": ["fail", "warn"]}, "warn"),
    ),
)

BLAST_RADIUS = Shape(
    "blast_radius",
    "The most that faults may touch.",
    (
        Key("services", "how many services", INTEGER, 1),
        Key("replicas", "how many replicas", INTEGER, 1),
        Key("zones", "how many zones", INTEGER, 1),
        Key("pods", "how many pods", INTEGER, 20),
        Key("nodes", "how many nodes", INTEGER, 1),
        Key("namespaces", "only these, whoever lives there", NAMES, ["shop", "kube-system"]),
        Key("ready_endpoints", "of each service, ready and untouched", TEXT, "at least 50%"),
        Key("budgets", "disruption budgets that may be overdrawn", NAMES, ["api"]),
        Key("quorums", "StatefulSets that may lose their majority", NAMES, ["database"]),
    ),
)

GUARD = Shape(
    "guard",
    "When to stop, and how far faults may reach.",
    (
        Key(
            "abort",
            "a condition on live measurements that ends the run, or a list of them",
            {"anyOf": [TEXT, {"type": "array", "items": TEXT}]},
            "errors > 50% for 3s",
        ),
        Key("blast_radius", BLAST_RADIUS.about, BLAST_RADIUS, {"services": 1}),
        Key("max_duration", "the run ends then, whatever it does", QUANTITY, "10min"),
    ),
)

INTERVENTION = Shape(
    "the timeline",
    "One disturbance: a fault, where it acts and when.",
    (
        Key("id", "what objectives call it", NAME, "slow-db", required=True),
        Key("at", "begins so long after the warm-up", QUANTITY, "8s", required=True),
        Key("for", "a condition lasts so long; events take none", QUANTITY, "15s"),
        Key("fault", "see `harness list faults`", TEXT, "network.latency", required=True),
        Key("target", "a service, a replica (api-0), a zone (zone/a) or client", TEXT, "api"),
        Key("labels", "in place of target: pods with these labels", TEXT, "app=web,tier!=db"),
        Key("fields", "the same by fields of pods", TEXT, "spec.nodeName=n1"),
        Key("from", "the caller, of a fault between two", TEXT, "api"),
        Key("to", "whom it calls", TEXT, "database"),
        Key(
            "pick",
            "how many of the target's replicas: all, one, oldest, 2, 50%",
            {"anyOf": [{"type": "integer", "minimum": 1}, TEXT]},
            "one",
        ),
        Key(
            "replaced",
            "when a pod is replaced meanwhile: follow (the new one has the fault), or end",
            {"enum": ["follow", "end"]},
            "end",
        ),
    ),
)

_TIMELINE = {"type": "array", "items": {"$ref": "#/$defs/intervention"}}
_OBJECTIVES = {
    "type": "array",
    "items": {
        "anyOf": [TEXT, {"$ref": "#/$defs/objective"}, {"$ref": "#/$defs/inclusion"}],
    },
}

EXPERIMENT_SPEC = Shape(
    "spec",
    "What should survive what.",
    (
        Key("hypothesis", "one sentence that the run can refute", TEXT, required=True),
        Key("vars", "values for $(name); --set changes them", SCALARS, {"rate": "200/s"}),
        Key("system", "the System file", TEXT, "../scenarios/checkout/system.yaml", required=True),
        Key("load", LOAD.about, LOAD),
        Key("timeline", "the disturbances", _TIMELINE),
        Key(
            "objectives",
            "lines to hold; [] explores",
            _OBJECTIVES,
            ["errors < 0.1%"],
            required=True,
        ),
        Key("guard", GUARD.about, GUARD),
        Key("duration", "how long, where the timeline does not say", QUANTITY, "20s"),
        Key("settle", "how long to watch after the last fault", QUANTITY, "10s"),
    ),
    {
        "repeat": "a later version",
        "probes": "a later version",
        "steady_state": "nothing: objectives with `baseline` say that",
    },
)


def document(kind: str, about: str, spec: Shape) -> Shape:
    return Shape(
        f"a file of kind {kind}",
        about,
        (
            Key("apiVersion", "the version of the format", {"const": "harness/v1"}, required=True),
            Key("kind", "what the file is", {"const": kind}, required=True),
            Key("metadata", METADATA.about, METADATA, required=True),
            Key("spec", spec.about, spec, required=True),
        ),
    )


EXPERIMENT = document("Experiment", "What should survive what.", EXPERIMENT_SPEC)

#: Kinds of file that the design has and this version does not.
LATER_KINDS = ("GameDay",)
