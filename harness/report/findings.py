"""What to know of a run beyond its objectives, in sentences: each from one measured value."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from harness.measure.impact import DAYS
from harness.measure.recovery import Recovery
from harness.report import words
from harness.report.measured import Amplification, Finding, Impact, Resource

#: Less is what chance and background work do.
_AMPLIFIED = 1.2
#: A service that holds so much more than in the baseline is worth a look.
_GREW, _GREW_BYTES = 1.25, 16 * 2**20


def findings(
    impacts: Sequence[Impact], recoveries: Iterable[Recovery],
    amplifications: Iterable[Amplification], resources: Iterable[Resource],
) -> tuple[Finding, ...]:  # fmt: skip
    """In the order in which a person would ask."""
    after = {r.intervention: r for r in recoveries if not r.while_on}
    return (
        *(found for impact in impacts for found in _of(impact, after.get(impact.intervention))),
        *_amplified(amplifications),
        *_grown(resources),
    )


def _of(impact: Impact, recovery: Recovery | None) -> Iterator[Finding]:
    name = impact.intervention
    yield Finding("impact", name, _impact(impact))
    if not impact.recovered and recovery:
        seen = words.seconds(recovery.until_s - recovery.from_s)
        says = f"Did not recover after the fault was removed, in the {seen} that this run went on."
        yield Finding("not recovered", name, says, grave=True)
    if impact.by_itself and impact.healed_s is not None:
        early = words.seconds(-impact.healed_s)
        yield Finding("healed", name, f"Healed by itself, {early} before the fault was removed.")
    if impact.disagrees:
        yield Finding("cross-check", name, _disagreement(impact), grave=True)
    yield from _budget(impact)


def _impact(impact: Impact) -> str:
    if impact.after_s is None:
        return f"No request of {impact.count:,} was bad."
    lost = f", {impact.lost:,.0f} good answers lost" if impact.lost >= 0.5 else ""
    return (
        f"First bad request {words.seconds(impact.after_s)} after the inject; {impact.bad:,} of "
        f"{impact.count:,} bad ({impact.failed:,} failed), "
        f"{words.plural(impact.bad_seconds, 'bad second')}{lost}."
    )


def _disagreement(impact: Impact) -> str:
    by_rule, by_change = (_from_removal(at) for at in (impact.healed_s, impact.changed_s))
    return (
        f"Recovery is doubtful: by the rule it was {by_rule}, by change points {by_change}. "
        "Look at the timeline."
    )


def _from_removal(at_s: float | None) -> str:
    assert at_s is not None, "known where two are compared"
    side = "after" if at_s >= 0 else "before"
    return f"{words.seconds(abs(at_s))} {side} the removal"


def _budget(impact: Impact) -> Iterator[Finding]:
    if not impact.failed:
        return
    share, target = words.share(impact.budget_share), words.share(impact.budget_target)
    says = f"Burnt {share} of the error budget of {DAYS} days at {target}"
    if impact.budget_most:
        says += f": at most {impact.budget_most:,} of these in {DAYS} days"
    elif impact.budget_share > 1:
        says += ": not even one of these fits"
    yield Finding("budget", impact.intervention, says + ".", grave=impact.budget_share > 1)


def _amplified(amplifications: Iterable[Amplification]) -> Iterator[Finding]:
    for found in amplifications:
        if found.ratio >= _AMPLIFIED:
            says = (
                f"Sent {found.per_request:.3g} messages for each request {found.window}, "
                f"{found.baseline:.3g} in the baseline: its load grew {found.ratio:.3g} times, as "
                "it does by retries or without a cache."
            )
            yield Finding("amplification", found.service, says, grave=found.ratio >= 2)


def _grown(resources: Iterable[Resource]) -> Iterator[Finding]:
    """Memory that stayed up once a fault was over."""
    before = {r.service: r for r in resources if r.window == "baseline"}
    for line in resources:
        base = before.get(line.service)
        if base is None or not line.window.startswith("after "):
            continue
        if line.memory > max(base.memory * _GREW, base.memory + _GREW_BYTES):
            says = (
                f"{line.service} holds {words.size(line.memory)} {line.window}, "
                f"{words.size(base.memory)} in the baseline."
            )
            yield Finding("memory", line.service, says)
