"""What is done to a target, and what is seen of it, as plain data.

The vocabulary that faults, the run, the agent and its mechanisms share. Standard library only and
Python 3.9, because it travels into containers with the agent.
"""

from harness.agent.effects.codec import Undecodable, decode, encode
from harness.agent.effects.curve import Curve
from harness.agent.effects.made import (
    Act,
    Cordoned,
    DeletePod,
    Effect,
    Image,
    InForce,
    Intercept,
    Kill,
    KillContainer,
    LinkProfile,
    PoweredOff,
    Replicas,
    Restart,
    Stopped,
    Toxic,
)
from harness.agent.effects.probes import ORDINARY_PROBE_PORTS, PROBE_PORTS, is_probe
from harness.agent.effects.resources import (
    Edge,
    Link,
    Node,
    Pod,
    Processes,
    ProxiedEdge,
    Resource,
    ToxiproxyEdge,
    Unit,
    Workload,
)
from harness.agent.effects.seen import (
    EdgeSeen,
    Exercised,
    Flow,
    LinkSeen,
    PlatformSeen,
    PodState,
    Process,
    ProcessesSeen,
    Seen,
    Snapshot,
    Transfer,
)
from harness.agent.effects.spared import DNS, PROBES, Spared

__all__ = [
    "DNS", "ORDINARY_PROBE_PORTS", "PROBES", "PROBE_PORTS", "Act", "Cordoned", "Curve", "DeletePod",
    "Edge", "EdgeSeen", "Effect", "Exercised", "Flow", "Image", "InForce", "Intercept", "Kill",
    "KillContainer", "Link", "LinkProfile", "LinkSeen", "Node", "PlatformSeen", "Pod", "PodState",
    "PoweredOff", "Process", "Processes", "ProcessesSeen", "ProxiedEdge", "Replicas", "Resource",
    "Restart", "Seen", "Snapshot", "Spared", "Stopped", "Toxic", "ToxiproxyEdge", "Transfer",
    "Undecodable", "Unit", "Workload", "decode", "encode", "is_probe",
]  # fmt: skip
