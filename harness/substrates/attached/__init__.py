"""A System that runs on this machine already: found by pid, listening port or URL.

Nothing is started and no network is ours, so its processes can be signalled and nothing else; load
and measurement work as everywhere.
"""

from harness.substrates.attached.substrate import AttachedSubstrate, agents_here

__all__ = ["AttachedSubstrate", "agents_here"]
