"""What faults of a cluster's own things share: reading what its API server told."""

from __future__ import annotations

from harness.agent.effects import PlatformSeen, PodState
from harness.faults.fault import Look
from harness.record.witness import Witnessed


def seen(look: Look) -> PlatformSeen:
    assert isinstance(look.seen, PlatformSeen), "the API server is asked"
    return look.seen


def staying(look: Look) -> tuple[PodState, ...]:
    """Pods that nobody has told to end."""
    return tuple(pod for pod in seen(look).pods if not pod.leaving)


def counted(
    field: str, asked: float, value: float, looks: int, *, confirmed: bool, note: str = ""
) -> Witnessed:
    return Witnessed(
        field, asked, value, "count", value, value, looks, confirmed=confirmed, note=note
    )
