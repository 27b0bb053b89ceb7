"""`region.down`: a region is cut off."""

from __future__ import annotations

from harness.faults.zone.down import Down as ZoneDown


class Down(ZoneDown, kind="region.down"):
    """No packet reaches or leaves the system's pods in a region; all else there goes on."""
