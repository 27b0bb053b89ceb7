"""From a run directory to a record: judged anew, measured anew, nothing but what is on disk."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator

from harness.clock import Epoch
from harness.measure import summary
from harness.measure.controllers import ControllersView, controllers_view, shortages
from harness.measure.evidence import Evidence, gather
from harness.measure.recovery import Recovery as Measured
from harness.record import cluster, crossing
from harness.record.directory import RunDirectory
from harness.record.journal import chain_of
from harness.report import beyond
from harness.report.effects import effects_of
from harness.report.events import events_of
from harness.report.findings import findings
from harness.report.record import Load, Objective, Record, Recovery, Run, Series, Sighting, Window
from harness.verdict import judge_evidence

#: Bins of a chart: beyond this nobody can see them, and the page gets heavy.
MOST_BINS = 1800
_STEPS_S = (1.0, 2.0, 5.0, 10.0, 30.0, 60.0, 300.0, 3600.0)


def read_record(directory: RunDirectory) -> Record:
    evidence = gather(directory)
    verdict = judge_evidence(evidence)
    epoch = evidence.observation.epoch
    impacts, resources = beyond.impacts_of(evidence), beyond.resources_of(evidence)
    seen = cluster.read(directory.path)
    amplifications = beyond.amplifications_of(evidence)
    return Record(
        run=_run(directory, evidence),
        verdict=verdict.verdict,
        exit_status=int(verdict.exit_status),
        reasons=verdict.reasons,
        objectives=tuple(Objective(**dataclasses.asdict(j)) for j in verdict.judgements),
        effects=effects_of(evidence.plan, evidence.steps, epoch),
        load=_load(evidence),
        crossing=beyond.crossing_of(crossing.read(directory.path)),
        windows=tuple(_window(w) for w in summary.windows_table(evidence)),
        recoveries=_recoveries(evidence, seen),
        events=events_of(evidence.steps, epoch),
        cluster=tuple(_sighting(s, epoch) for s in seen),
        warnings=(*evidence.plan.warnings, *_doubts(directory), *_gaps(seen, epoch)),
        findings=findings(impacts, evidence.windows.recoveries, amplifications, resources),
        impacts=impacts,
        amplifications=amplifications,
        names=beyond.names_of(evidence),
        resources=resources,
        usages=beyond.usages_of(evidence),
        series=_series(evidence),
    )


def _run(directory: RunDirectory, evidence: Evidence) -> Run:
    plan, facts = evidence.plan, directory.facts()
    steps = [step for step in evidence.steps if step.step != "recovered"]
    lasted = evidence.seconds(steps[-1]) - evidence.seconds(steps[0]) if steps else 0.0
    return Run(
        id=plan.run_id,
        name=plan.name,
        hypothesis=plan.hypothesis,
        seed=plan.seed,
        started=facts.started,
        duration_s=round(lasted, 3),
        directory=str(directory.path),
        experiment=plan.experiment,
        system=plan.system,
        substrate=plan.substrate,
        warmup_s=plan.warmup,
        variables=dict(plan.variables),
        versions=facts.versions,
        machine=facts.machine,
    )


def _doubts(directory: RunDirectory) -> Iterator[str]:
    """What is to be said of the journal that all this rests on."""
    chain = chain_of(directory.journal)
    if chain.damaged:
        yield (f"the journal does not verify from line {len(chain.steps) + 1} on, and is read only "
               "to there: see `harness audit`")  # fmt: skip
    elif chain.old:
        yield ("the journal is of an older version: its sums show accidents, but not whether "
               "somebody changed it")  # fmt: skip


def _gaps(seen: tuple[cluster.Sighting, ...], epoch: Epoch) -> Iterator[str]:
    """When the cluster was not seen, of what had been seen before; one line for each kind."""
    for name in dict.fromkeys(s.name for s in seen if s.kind == "watch"):
        spans = [f"{epoch.seconds(begin):.1f}–" + (f"{epoch.seconds(end):.1f} s" if end else "end")
                 for begin, end in cluster.gaps(seen, name)]  # fmt: skip
        if spans:
            yield f"the cluster's {name} were not seen all the time: not {', '.join(spans)}"


def _load(evidence: Evidence) -> Load | None:
    told, load = summary.load_summary(evidence), evidence.plan.load
    return Load(**dataclasses.asdict(told), counts=load.counts) if told and load else None


def _window(told: summary.WindowSummary) -> Window:
    made = Window(**dataclasses.asdict(told))
    p50, p99 = (_beyond(value, told.count) for value in (made.p50_ms, made.p99_ms))
    return dataclasses.replace(made, p50_ms=p50, p99_ms=p99)


def _recoveries(evidence: Evidence, seen: tuple[cluster.Sighting, ...]) -> tuple[Recovery, ...]:
    """The users' view, and beside it that of the controllers, where there are any."""
    short = shortages(seen, evidence.observation.epoch)
    looked = any(s.kind == "workload" and s.service for s in seen)
    passages = {passage.id: passage for passage in evidence.windows.passages}
    return tuple(
        _recovery(r, controllers_view(short, r, passages[r.intervention]) if looked else None)
        for r in evidence.windows.recoveries
        if not r.while_on
    )


def _recovery(told: Measured, other: ControllersView | None) -> Recovery:
    at = told.at_s if told.how == "recovered" else None
    theirs = (other.at_s, other.says) if other else (None, "")
    return Recovery(told.intervention, told.from_s, at, told.says, *theirs)


def _sighting(seen: cluster.Sighting, epoch: Epoch) -> Sighting:
    at_s = round(epoch.seconds(seen.at), 4)
    return Sighting(at_s, seen.kind, seen.name, seen.state, seen.says, seen.service)


def _series(evidence: Evidence) -> Series | None:
    if not len(evidence.observation.store):
        return None
    length = evidence.plan.warmup + evidence.windows.end_s
    step = next((s for s in _STEPS_S if length / s <= MOST_BINS), _STEPS_S[-1])
    told = summary.series(evidence, step)
    made = Series(**{f.name: getattr(told, f.name) for f in dataclasses.fields(told)})
    p50, p99 = (
        tuple(_beyond(v, n) for v, n in zip(quantiles, told.asked, strict=True))
        for quantiles in (told.p50_ms, told.p99_ms)
    )
    return dataclasses.replace(made, p50_ms=p50, p99_ms=p99)


def _beyond(value: float | None, count: float) -> float | None:
    """A quantile of requests that has no number lies among the failures."""
    return math.inf if value is None and count else value
