"""Which substrate a system lives on: told by the form of its services, and by this machine."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from harness.errors import UsageError
from harness.experiment.system_model import System
from harness.substrates.substrate import Substrate

if TYPE_CHECKING:
    from harness.substrates.local.substrate import LocalSubstrate
    from harness.substrates.loopback.substrate import LoopbackSubstrate

NAMES = ("attached", "kubernetes", "local", "loopback")
#: Those whose systems end with the run that started them.
WORLDS = ("local", "loopback")
#: `loopback` asks for no namespaces even where there could be some.
SWITCH = "HARNESS_LOCAL"


def substrate_for(system: System) -> Substrate:
    if system.cluster:
        from harness.substrates.kubernetes.substrate import KubernetesSubstrate

        return KubernetesSubstrate(system.cluster)
    if system.attached:
        from harness.substrates.attached import AttachedSubstrate

        return AttachedSubstrate()
    return world_substrate()


def world_substrate() -> LocalSubstrate | LoopbackSubstrate:
    """Where a system is started that we start."""
    from harness.substrates.local.substrate import LocalSubstrate
    from harness.substrates.loopback.substrate import LoopbackSubstrate

    why = why_loopback()
    return LoopbackSubstrate(why) if why else LocalSubstrate()


def why_loopback() -> str:
    """Why systems are started on loopback ports here; empty where they get a local world."""
    from harness.substrates.local.support import why_not

    asked = os.environ.get(SWITCH, "")
    if asked not in ("", "loopback", "namespaces"):
        raise UsageError(f"{SWITCH} is {asked!r}: it may be loopback or namespaces")
    return asked_for() or ("" if asked else why_not())


def asked_for() -> str:
    """Whether the switch asks for loopback, in words."""
    asks = os.environ.get(SWITCH) == "loopback"
    return f"{SWITCH}=loopback asks for no namespaces" if asks else ""
