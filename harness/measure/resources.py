"""What replicas used: the samples of a run as columns, asked for by service and span.

`most` is the highest sample of any replica, for limits; `level` the median of a span, of the
replica that has the highest, so that neither a spike nor a restart speaks for the whole.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from harness.clock import Epoch
from harness.measure.requests import Floats
from harness.record.resources import Sample

#: Indicators of resources, and their units: bytes, cores, numbers.
UNITS = {"memory": "B", "cpu": "cores", "threads": "count", "files": "count"}


@dataclass(frozen=True, eq=False)
class Used:
    """One replica: `at` in seconds since the epoch, and each indicator at those instants.

    `answers` counts the segments with data that it has sent so far; None where nobody could count.
    """

    service: str
    replica: str
    at: Floats
    values: dict[str, Floats]
    answers: Floats | None

    def inside(self, indicator: str, begin_s: float, end_s: float) -> Floats:
        chosen = (self.at >= begin_s) & (self.at <= end_s)
        return self.values[indicator][chosen]

    def answered(self, begin_s: float, end_s: float) -> float | None:
        """How many answers it sent in a span, between samples by straight lines."""
        if self.answers is None or not len(self.at) or self.at[0] > begin_s:
            return None
        begin, end = np.interp([begin_s, end_s], self.at, self.answers)
        return float(end - begin)


@dataclass(frozen=True, eq=False)
class Resources:
    """Every replica that was sampled; none where nobody did."""

    replicas: tuple[Used, ...] = ()

    @property
    def services(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(used.service for used in self.replicas))

    def of(self, service: str) -> tuple[Used, ...]:
        return tuple(used for used in self.replicas if used.service == service)

    def most(self, indicator: str, service: str, begin_s: float, end_s: float) -> float | None:
        """The highest sample of any replica in a span; None where there is none."""
        spans = self._inside(indicator, service, begin_s, end_s)
        return max((float(span.max()) for span in spans), default=None)

    def level(self, indicator: str, service: str, begin_s: float, end_s: float) -> float | None:
        """The highest median of any replica in a span; None where there is none."""
        spans = self._inside(indicator, service, begin_s, end_s)
        return max((float(np.median(span)) for span in spans), default=None)

    def answered(self, service: str, begin_s: float, end_s: float) -> float | None:
        """How many answers all its replicas sent in a span; None where nobody could count."""
        told = [used.answered(begin_s, end_s) for used in self.of(service)]
        known = [count for count in told if count is not None]
        return sum(known) if known and len(known) == len(told) else None

    def _inside(self, indicator: str, service: str, begin_s: float, end_s: float) -> list[Floats]:
        spans = (used.inside(indicator, begin_s, end_s) for used in self.of(service))
        return [span for span in spans if len(span)]


def resources_of(samples: Iterable[Sample], epoch: Epoch) -> Resources:
    of: dict[str, list[Sample]] = {}
    for sample in samples:
        of.setdefault(sample.replica, []).append(sample)
    return Resources(tuple(_used(mine, epoch) for mine in of.values()))


def _used(samples: list[Sample], epoch: Epoch) -> Used:
    at = np.array([epoch.seconds(sample.at) for sample in samples])
    values = {name: np.array([float(getattr(s, name)) for s in samples]) for name in UNITS}
    told = [float(s.answers) for s in samples if s.answers is not None]
    answers = np.array(told) if len(told) == len(samples) else None
    return Used(samples[0].service, samples[0].replica, at, values, answers)
