"""Which substrate a system lives on: told by the form of its services."""

from __future__ import annotations

from harness.experiment.model import System
from harness.substrates.substrate import Substrate

NAMES = ("attached", "kubernetes", "local")


def substrate_for(system: System) -> Substrate:
    if system.cluster:
        from harness.substrates.kubernetes.substrate import KubernetesSubstrate

        return KubernetesSubstrate(system.cluster)
    if system.attached:
        from harness.substrates.attached import AttachedSubstrate

        return AttachedSubstrate()
    from harness.substrates.local.substrate import LocalSubstrate

    return LocalSubstrate()
