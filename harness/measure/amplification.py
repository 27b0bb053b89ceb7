"""How much more a service had to answer for each request of the clients than in the baseline.

Counted at the service's own edge, by the kernel: TCP segments with data that it sent, without what
was retransmitted. For a database those are its answers; a service that calls others also sends its
questions, which grow with the same retries. So the ratio to the baseline is what it says, and the
number itself is only as large as answers are. What reached it and was never answered is not in it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from harness.measure.evidence import Evidence
from harness.measure.requests import Box
from harness.measure.windows import Window

#: Less traffic than this tells nothing of a ratio.
_FEWEST = 50


@dataclass(frozen=True)
class Amplification:
    """Messages that a service sent per request that was due in the window, and in the baseline."""

    service: str
    window: str
    per_request: float
    baseline: float

    @property
    def ratio(self) -> float:
        return self.per_request / self.baseline


def amplifications(evidence: Evidence) -> tuple[Amplification, ...]:
    """Of each service in each fault's window; none where nobody counted."""
    entry = evidence.plan.load.entry if evidence.plan.load else ""
    services = [service for service in evidence.resources.services if service != entry]
    return tuple(found for service in services for found in _of(evidence, service))


def _of(evidence: Evidence, service: str) -> Iterator[Amplification]:
    before = _per_request(evidence, service, evidence.windows.baseline)
    during = [w for w in evidence.windows.faults if w.kind == "during"]
    for window in during if before else ():
        told = _per_request(evidence, service, window)
        if before and told is not None:
            yield Amplification(service, window.name, told, before)


def _per_request(evidence: Evidence, service: str, window: Window) -> float | None:
    due = Box(due_from=max(0.0, window.start_s), due_to=window.end_s)
    count = len(evidence.observation.requests.within(due))
    sent = evidence.resources.answered(service, max(0.0, window.start_s), window.end_s)
    return sent / count if sent is not None and min(count, sent) >= _FEWEST else None
