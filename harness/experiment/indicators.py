"""What an objective may speak of: each indicator with the quantity of its limit and its good side.

`ELSEWHERE` are targets that people have and that no load can measure. They may be written down, so
that a file can hold all of them, and are then said to be not measured rather than passed.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from harness.experiment.problems import nearest
from harness.experiment.tokens import MisreadError, Token
from harness.units import Duration, Quantity, Rate, Share, Size


@dataclass(frozen=True)
class Indicator:
    name: str
    limit: type[Quantity]
    higher_is_better: bool


LATENCY = Indicator("latency", Duration, higher_is_better=False)
INDICATORS = {
    indicator.name: indicator
    for indicator in (
        Indicator("availability", Share, higher_is_better=True),
        Indicator("errors", Share, higher_is_better=False),
        Indicator("throughput", Rate, higher_is_better=True),
        Indicator("recovery", Duration, higher_is_better=False),
        Indicator("memory", Size, higher_is_better=False),
        Indicator("durability", Share, higher_is_better=True),
        Indicator("detection", Duration, higher_is_better=False),
        Indicator("rollback", Duration, higher_is_better=False),
        Indicator("rto", Duration, higher_is_better=False),
        Indicator("failover", Duration, higher_is_better=False),
    )
}

#: What would measure the indicators that this experiment cannot.
ELSEWHERE = {
    "durability": "acknowledged writes, read back and compared after the fault",
    "detection": "the time from the fault to the alert that a webhook of ours receives",
    "rollback": "a bad release, and the time until its rollback serves all users well again",
    "rto": "data destroyed, and the time until the restored copy is verified row by row",
    "failover": "a region cut off, and the time until the objectives hold from another one",
}

_QUANTILE = re.compile(r"p(\d{1,2}(?:\.\d{1,4})?)")
_WRITTEN = (*INDICATORS, "p50", "p90", "p95", "p99")


def read_indicator(word: Token) -> tuple[Indicator, float]:
    """The indicator of a word, and the quantile of a latency (0 for others)."""
    if word.text in INDICATORS:
        return INDICATORS[word.text], 0.0
    quantile = _QUANTILE.fullmatch(word.text)
    if quantile and 0 < float(quantile[1]) < 100:
        return LATENCY, round(float(quantile[1]) / 100, 8)
    likely = nearest(word.text, _WRITTEN)
    hint = f"did you mean {likely}?" if likely else "write for example availability, errors, p99"
    raise MisreadError(word.offset, f"{word.text!r} is not an indicator", hint)
