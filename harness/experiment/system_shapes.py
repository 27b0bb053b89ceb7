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
from harness.experiment.system_model import THROUGH, WAYS

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
        Key(
            "url",
            "where the load reaches an attached service, or what its users call a workload: "
            "then an Ingress of that name tells the address",
            TEXT,
            "http://127.0.0.1:8080",
        ),
        Key("upstream", "host:port of a service behind a proxy", TEXT, "127.0.0.1:6379"),
        Key("proxy", "host:port where its callers reach it", TEXT, "127.0.0.1:26379"),
        Key(
            "toxiproxy", "the server that listens there; else we do", TEXT, "http://127.0.0.1:8474"
        ),
        Key("probe", "what it answers at once, always alike", TEXT, "PING\r\n"),
        Key("greeting", "said before, once on each connection", TEXT, "HELLO 3\r\n"),
        Key("workload", "on Kubernetes: deploy/NAME, statefulset/NAME …", TEXT, "deploy/web"),
        Key(
            "through",
            "how load from here reaches a workload; else the first of these that it has",
            {"enum": [*THROUGH]},
            "ingress",
        ),
        Key("external", "host:port outside of the cluster", TEXT, "payments.example:443"),
    ),
)


def _placed(priority: str, tolerations: str, taint: str) -> tuple[Key, ...]:
    """Where pods of ours may be, and with what: examples of a priority and of a toleration."""
    return (
        Key("priority", "the name of a PriorityClass", TEXT, priority),
        Key("pull_secrets", "names of Secrets", NAMES, ["registry"]),
        Key("node_selector", "only on nodes with these labels", WORDS, {"pool": "test"}),
        Key("tolerations", tolerations, {"type": "array", "items": TEXT}, [taint]),
    )


AGENT = Shape(
    "agent",
    "The pods that carry faults out, one on each node with targets, privileged there alone.",
    (
        Key(
            "way",
            "ephemeral: containers in the targets instead, for clusters that forbid privileged "
            "pods; they carry out network faults on what a pod sends",
            {"enum": [*WAYS]},
            "ephemeral",
        ),
        Key("namespace", "theirs; else harness-agents", NAME, "harness-agents"),
        Key("image", "with Python 3.9 or later; the code is sent along", TEXT, "agent:1.0"),
        Key("cpu", "requested and limited", TEXT, "500m"),
        Key("memory", "requested and limited", TEXT, "256Mi"),
        *_placed(
            "chaos",
            "KEY=VALUE:EFFECT, or KEY:EFFECT; else every taint",
            "dedicated=chaos:NoSchedule",
        ),
    ),
)

LOAD_PODS = Shape(
    "load",
    "The pods of an experiment's load with `from: cluster`, one a worker, restricted.",
    (
        Key("namespace", "theirs; else harness", NAME, "harness"),
        Key("image", "that of harness itself, of this version", TEXT, "reliability-harness:1.0"),
        Key("cpu", "requested", TEXT, "100m"),
        Key("memory", "requested and limited", TEXT, "512Mi"),
        *_placed("load", "KEY=VALUE:EFFECT, or KEY:EFFECT", "dedicated=load:NoSchedule"),
    ),
)

POWER = Shape(
    "power",
    "Commands that switch a node off and on again, for node.down; {node} stands for its name.",
    (
        Key("cut", "ends when the node is off", TEXT, "docker stop {node}", required=True),
        Key("restore", "ends when it has power again", TEXT, "docker start {node}", required=True),
    ),
)

KUBERNETES = Shape(
    "kubernetes",
    "The system runs in this namespace of a cluster.",
    (
        Key("context", "of the kubeconfig; else the current one", TEXT, "kind-harness"),
        Key("namespace", "where the workloads are", NAME, "shop", required=True),
        Key("uid", "of the namespace kube-system: pins the cluster", TEXT),
        Key("agent", AGENT.about, AGENT),
        Key("load", LOAD_PODS.about, LOAD_PODS),
        Key("power", POWER.about, POWER),
    ),
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
        Key("kubernetes", KUBERNETES.about, KUBERNETES, {"namespace": "shop"}),
    ),
)

SYSTEM = document("System", "What is under test, and where it lives.", SYSTEM_SPEC)
