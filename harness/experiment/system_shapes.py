"""Which keys stand where in a System file."""

from __future__ import annotations

from harness.experiment.shapes import (
    INTEGER,
    NAME,
    NAMES,
    QUANTITY,
    TEXT,
    WORDS,
    Key,
    Shape,
    document,
)

RESTART = Shape(
    "restart",
    "When the service ends by itself.",
    (Key("after", "started again so much later", QUANTITY, "1s", required=True),),
)

ATTACH = Shape(
    "attach",
    "A process that runs on this machine already.",
    (
        Key("port", "the one that listens there", INTEGER, 8080),
        Key("pid", "this one", INTEGER, 4711),
    ),
)

SERVICE = Shape(
    "a service",
    "One service, whatever number of replicas it has.",
    (
        Key("run", "the command; $(port), $(database.host) …", TEXT, "python -m shop $(port)"),
        Key("port", "where it listens", INTEGER, 8080),
        Key("ready", "tcp, or a path that answers 2xx when it is ready", TEXT, "/health"),
        Key("calls", "services that it calls", NAMES, ["database"]),
        Key("replicas", "how many of it", INTEGER, 2),
        Key("zones", "where the replicas live, in turn", NAMES, ["a", "b"]),
        Key(
            "restart",
            "when it ends by itself: never, or {after: 1s}",
            {
                "anyOf": [
                    {"const": "never"},
                    {
                        "type": "object",
                        "properties": {"after": QUANTITY},
                        "required": ["after"],
                        "additionalProperties": False,
                    },
                ]
            },
            {"after": "1s"},
        ),
        Key("env", "its environment, besides PATH and HOME", WORDS, {"LOG_LEVEL": "info"}),
        Key("attach", ATTACH.about, ATTACH, {"port": 8080}),
        Key("url", "where the load reaches an attached service", TEXT, "http://127.0.0.1:8080"),
        Key("upstream", "host:port of a service that runs elsewhere", TEXT, "127.0.0.1:6379"),
        Key("proxy", "host:port where callers find our proxy to it", TEXT, "127.0.0.1:26379"),
    ),
    {"workload": "the kubernetes substrate", "external": "the kubernetes substrate"},
)

SYSTEM_SPEC = Shape(
    "spec",
    "What is under test.",
    (
        Key(
            "services",
            "by name",
            {
                "type": "object",
                "minProperties": 1,
                "propertyNames": NAME,
                "additionalProperties": {"$ref": "#/$defs/service"},
            },
            required=True,
        ),
    ),
    {"kubernetes": "the kubernetes substrate"},
)

SYSTEM = document("System", "What is under test, and where it lives.", SYSTEM_SPEC)
