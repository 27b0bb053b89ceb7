"""How a record is put into words: the same in every report.

Numbers carry their unit and no more digits than they deserve, except shares near one: 99.9995 %
keeps every nine that was measured, and never rounds up to 100.
"""

from __future__ import annotations

import math
import re
import shlex

from harness.record.witness import Witnessed
from harness.report.measured import Crossing, Leg
from harness.report.record import Effect, Load, Objective, Record, Recovery

#: Control characters but tab and newline, and what XML 1.0 cannot hold even escaped.
_CONTROL = re.compile("[^\t\n\x20-\x7e\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")

#: Verdict -> (symbol, word). The symbol stands for those who cannot see the colour.
SIGNS = {
    "pass": ("✓", "PASS"),
    "fail": ("✗", "FAIL"),
    "inconclusive": ("?", "INCONCLUSIVE"),
    "invalid": ("⊘", "INVALID"),
    "interrupted": ("■", "INTERRUPTED"),
    "dirty": ("!", "LEFT BEHIND"),
    "error": ("!", "ERROR"),
    "explored": ("·", "EXPLORED"),
}

_MEANS = {
    "invalid": "The test could not have known; this says nothing about the system.",
    "interrupted": "Ended early; everything was taken back.",
    "dirty": "Something could not be taken back. Commands to run by hand are below.",
    "error": "The harness itself failed; this says nothing about the system.",
}


def verdict_of(record: Record) -> str:
    """The verdict, or `explored` where there was nothing to hold."""
    return "explored" if record.explored else record.verdict


def headline(record: Record) -> str:
    """One sentence under the verdict."""
    verdict = verdict_of(record)
    if verdict in _MEANS:
        return _MEANS[verdict]
    if verdict == "explored":
        return "No objectives were set: numbers, no verdict."
    count = len(record.objectives)
    missed = sum(o.verdict == verdict and o.severity != "warn" for o in record.objectives)
    if verdict == "pass":
        return _all_held(record, count)
    if not missed:
        return ""
    what = "failed" if verdict == "fail" else "could not be decided"
    return f"{missed} of {plural(count, 'objective')} {what}."


def _all_held(record: Record, count: int) -> str:
    warned = sum(o.verdict != "pass" for o in record.objectives)
    if warned:
        return f"{count - warned} of {plural(count, 'objective')} held; the rest only warn."
    return "The objective held." if count == 1 else f"All {count} objectives held."


def printable(text: str) -> str:
    """Without control characters: no text of others may steer a terminal or break a document."""
    return _CONTROL.sub("\N{REPLACEMENT CHARACTER}", text)


def one_line(text: str) -> str:
    return printable(" ".join(text.split()))


def plural(count: int, noun: str) -> str:
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def quantity(value: float | None, unit: str) -> str:
    """A value in its base unit as a person would write it."""
    if value is None or math.isnan(value):
        return "–"
    if math.isinf(value):
        return "beyond the failures"
    writer = _WRITERS.get(unit)
    return writer(value) if writer else f"{value:,.4g} {unit}".rstrip()


def seconds(value: float) -> str:
    size = abs(value)
    if size >= 1 or value == 0:
        return f"{value:.3g} s" if size < 100 else f"{value:,.0f} s"
    return f"{value * 1e3:.3g} ms" if size >= 1e-3 else f"{value * 1e6:.3g} µs"


def share(value: float) -> str:
    """Per cent; near one, as many nines as there are, cut rather than rounded."""
    percent = value * 100
    if not 99 < percent < 100:
        return f"{percent:.3g} %"
    digits = min(8, max(2, 1 - math.floor(math.log10(100 - percent))))
    cut = math.floor(percent * 10**digits + 1e-6) / 10**digits
    return f"{cut:.{digits}f}".rstrip("0").rstrip(".") + " %"


def bits(value: float) -> str:
    for factor, unit in ((1e9, "Gbit/s"), (1e6, "Mbit/s"), (1e3, "kbit/s")):
        if value >= factor:
            return f"{value / factor:.3g} {unit}"
    return f"{value:.3g} bit/s"


def size(value: float) -> str:
    for factor, unit in ((2**30, "GiB"), (2**20, "MiB"), (2**10, "KiB")):
        if value >= factor:
            return f"{value / factor:.3g} {unit}"
    return f"{value:.0f} B"


def rate(value: float) -> str:
    return f"{value:,.0f}/s" if value >= 100 else f"{value:.3g}/s"


def count(value: float) -> str:
    return f"{value:,.0f}"


_WRITERS = {
    "s": seconds,
    "ms": lambda value: seconds(value / 1e3),
    "share": share,
    "bit/s": bits,
    "B": size,
    "cores": lambda value: f"{value:.2g} cores",
    "/s": rate,
    "count": count,
}


def milliseconds(value: float | None) -> str:
    """A latency in a table; infinite means that the request at that quantile failed."""
    return "failed" if value is not None and math.isinf(value) else quantity(value, "ms")


def span(start_s: float, end_s: float) -> str:
    return f"{start_s:.1f}–{end_s:.1f} s"


def window(objective: Objective) -> str:
    name = objective.window or "whole run"
    return f"{name}, {span(objective.start_s, objective.end_s)}"


def claim(objective: Objective) -> str:
    """What is claimed: about this run, or about the service in general."""
    if objective.claim == "general":
        return f"in general, at {objective.confidence * 100:g} % confidence"
    return "this run"


def counted(objective: Objective) -> str:
    """K of n; nothing where the objective does not count (recovery)."""
    if not objective.count:
        return ""
    return f"{objective.good:,} good of {objective.count:,}"


def bound(objective: Objective) -> str:
    """What the run shows about the service, beyond itself."""
    if objective.proves:
        return f"{'in general: ' if objective.claim == 'run' else ''}{objective.proves}"
    sides = (("at least", objective.low), ("at most", objective.high))
    known = [
        f"{name} {quantity(value, objective.unit)}"
        for name, value in sides
        if value is not None and math.isfinite(value)
    ]
    if not known:
        return ""
    each = "each " if len(known) > 1 else ""
    return f"in general {' and '.join(known)}, {each}at {objective.confidence * 100:g} %"


def missing(objective: Objective) -> str:
    if objective.verdict != "inconclusive" or not objective.needed:
        return ""
    return f"needs {plural(objective.needed, 'more request')}"


def objective_facts(objective: Objective) -> tuple[str, ...]:
    """Every number behind a line, as short phrases."""
    facts = (
        counted(objective),
        claim(objective),
        window(objective),
        bound(objective),
        missing(objective),
    )
    return tuple(fact for fact in facts if fact)


def seen(line: Witnessed) -> str:
    """Asked against seen, for one field."""
    if line.confirmed is None:
        return f"asked {quantity(line.asked, line.unit)}, cannot be seen here{_note(line)}"
    ends = (quantity(line.low, line.unit), quantity(line.high, line.unit))
    between = f" ({ends[0]} to {ends[1]})" if ends[0] != ends[1] else ""
    return (
        f"asked {quantity(line.asked, line.unit)}, seen {quantity(line.value, line.unit)}{between},"
        f" {plural(line.samples, 'sample')}{_note(line)}"
    )


def _note(line: Witnessed) -> str:
    return f", {line.note}" if line.note else ""


def standing(effect: Effect) -> str:
    """Whether the effect was there: the word for its first column."""
    if effect.injected_at_s is None:
        return "not injected"
    return "confirmed" if effect.confirmed else "not confirmed"


def exercised(effect: Effect) -> str:
    """How much of the system's own traffic met the effect."""
    if effect.exercised is None:
        return ""
    if not effect.exercised.count:
        return f"exercised: none of the system's own {effect.exercised.unit}"
    if effect.exercised.unknown:
        about = f"{effect.exercised.count:,.6g} {effect.exercised.unit}"
        return f"exercised: not measurable, {effect.exercised.unknown} ({about})"
    return f"exercised: {effect.exercised.count:,.6g} {effect.exercised.unit} of the system's own"


def life(effect: Effect) -> str:
    """When it went in and came out, and how long each took."""
    if effect.injected_at_s is None:
        return "never injected"
    what = "done" if effect.event else "in"
    parts = [f"{what} at {effect.injected_at_s:.2f} s{_took(effect.inject_ms)}"]
    if effect.reverted_at_s is not None:
        parts.append(f"out at {effect.reverted_at_s:.2f} s{_took(effect.revert_ms)}")
    if effect.gone_at_s is not None and not effect.event:
        parts.append(f"seen gone at {effect.gone_at_s:.2f} s")
    elif not effect.event:
        parts.append("not seen gone")
    return ", ".join(parts)


def _took(ms: float | None) -> str:
    return f" ({milliseconds(ms)})" if ms is not None else ""


def recovery(found: Recovery) -> str:
    return found.says if found.at_s is None else seconds(found.at_s - found.from_s)


def both_views(found: Recovery) -> tuple[tuple[str, str], ...]:
    """How users and controllers saw it come back; nothing where no controller was asked."""
    if not found.controllers_say:
        return ()
    return ("clients", found.says), ("controllers", found.controllers_say)


def load_line(load: Load) -> str:
    late = (
        f", at most {milliseconds(load.late_p99_ms)} late (P99)"
        if load.late_p99_ms is not None
        else ""
    )
    return (
        f"{load.due:,} {load.counts} due, {load.sent:,} sent, {load.dropped:,} dropped,"
        f" {rate(load.rate)} reached{late}"
    )


def crossing_lines(found: Crossing) -> tuple[str, ...]:
    """What the way of the load adds, a line for each of its legs."""
    told = tuple(f"way to {found.service}, {leg.what}: {_leg(leg)}" for leg in found.legs)
    lacking = (f"way to {found.service}: {found.lacking}",) if found.lacking else ()
    beside = (f"beside: {found.beside}",) if found.beside else ()
    asked = f"asked {plural(found.tries, 'time')} before the load, and subtracted from nothing"
    return (*told, *lacking, ", ".join((*beside, asked)))


def _leg(leg: Leg) -> str:
    here = f"{milliseconds(leg.here_p50_ms)} (P99 {milliseconds(leg.here_p99_ms)}) from here"
    if leg.beside_p50_ms is None:
        return here
    beside = f"{milliseconds(leg.beside_p50_ms)} (P99 {milliseconds(leg.beside_p99_ms)})"
    added = f"{milliseconds(leg.added_p50_ms)} (P99 {milliseconds(leg.added_p99_ms)})"
    return f"{here}, {beside} beside the pod: adds {added}"


def rerun(record: Record) -> str:
    """The command that does the same again."""
    return f"harness rerun {shlex.quote(record.run.directory)}"
