"""What is asked when an experiment brings no load of its own: the front door, slowly and steadily.

So that availability and recovery exist for every experiment, there is a request every 50 ms for the
path by which a service says that it is ready.
"""

from __future__ import annotations

from harness.curves import Varying
from harness.experiment.model import Arrivals, Load, Request
from harness.experiment.system_model import Service, System
from harness.units import Duration, Rate

#: A gap of 50 ms is the resolution of a recovery, and no system notices the work.
RATE = Rate(20)
TIMEOUT = Duration(1)


def probed(system: System) -> Service | None:
    """The first service with a path to ask for; one that no other calls, where there is one."""
    called = {name for service in system.services for name in service.calls}
    asked = [s for s in system.services if s.ready.startswith("/") and (s.port or s.url)]
    return next((s for s in asked if s.name not in called), asked[0] if asked else None)


def prober(system: System) -> Load | None:
    service = probed(system)
    if service is None:
        return None
    rate: Varying[Rate] = Varying.of(Rate, RATE)
    return Load(
        users=None, entry=service.name, arrivals=Arrivals("requests", rate), timeout=TIMEOUT,
        requests=(Request("probe", "GET", service.ready),),
    )  # fmt: skip
