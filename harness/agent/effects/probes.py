"""Which traffic is ours."""

from __future__ import annotations

#: Source ports of our own probes: never used by ordinary clients, so that mechanisms can tell
#: a probe from the application's traffic and leave it out of `exercised`.
PROBE_PORTS = range(640, 768)
#: The same where an ordinary user has no right to those: below the ports that the kernel gives out.
ORDINARY_PROBE_PORTS = range(14000, 15000)


def is_probe(port: int) -> bool:
    """What comes from that port is a probe of ours."""
    return port in PROBE_PORTS or port in ORDINARY_PROBE_PORTS
