"""A System that runs on this machine already: found by pid, listening port or URL.

Nothing is started and no network is ours: its processes can be signalled, and what its services
call by way of a Toxiproxy can be disturbed there. Load and measurement work as everywhere.
"""

from harness.substrates.attached.substrate import AttachedSubstrate, agents_here

__all__ = ["AttachedSubstrate", "agents_here"]
