"""Runs made by hand: rows, plans and journals of which the truth is known."""

import numpy as np

from harness.agent.effects import Link, LinkProfile
from harness.clock import Epoch
from harness.experiment.objectives import read_objective
from harness.load.recording import ROW, Flag, Outcome
from harness.measure.evidence import Evidence
from harness.measure.observation import Observation
from harness.measure.windows import windows_of
from harness.record.journal import Step
from harness.record.plan import LoadPlan, Plan, PlannedEffect

EPOCH = Epoch(1_000_000_000_000, 1_700_000_000_000_000_000)


def ns(seconds):
    return EPOCH.mono_ns + np.round(np.asarray(seconds) * 1e9).astype("<i8")


def rows(due, took, outcome=Outcome.OK, name=0, flags=Flag.FIRST, worker=0, late=0.0):
    due = np.asarray(due, float)
    made = np.zeros(len(due), ROW)
    made["intended"], made["started"] = ns(due), ns(due + late)
    made["ended"] = ns(due + np.asarray(took, float))
    made["outcome"], made["name"], made["flags"], made["worker"] = outcome, name, flags, worker
    made["arrival"] = np.arange(len(due))
    return made


def steady(until, rate=200, begin=0.0, took=0.005):
    """A request every 1 / rate seconds, all good."""
    due = begin + np.arange(round((until - begin) * rate)) / rate
    return rows(due, np.full(len(due), took))


def failing(made, begin, end, outcome=Outcome.STATUS, every=1):
    """The same, with those due in a span failed (or each so many-th of them)."""
    made = made.copy()
    hit = np.flatnonzero((made["intended"] >= ns(begin)) & (made["intended"] < ns(end)))[::every]
    made["outcome"][hit] = outcome
    return made


def frozen(seconds=20.0, rate=200, begin=8.0, lasts=2.0):
    """A server that stops for a while: what was due meanwhile is answered when it goes on."""
    due = np.arange(round(seconds * rate)) / rate
    waits = np.where((due >= begin) & (due < begin + lasts), begin + lasts - due, 0.0)
    return rows(due, waits)


def observation(made, names=("browse", "pay"), timeout_s=10.0):
    return Observation(made, names, EPOCH, timeout_s)


def effect(id="slow-db/api-0", at=8.0, lasts=10.0, event=False, prepare=False):
    return PlannedEffect(
        id=id, intervention=id.split("/")[0], kind="network.latency", target=id.split("/")[1],
        resource=Link(id.split("/")[1], "", "", ""), does=LinkProfile(), event=event, at=at,
        lasts=lasts, mechanism="wire", says="", prepare=prepare,
    )  # fmt: skip


def load_plan(rate=200.0, duration=30.0, timeout=10.0):
    return LoadPlan(
        "shopper.py", "web", "http://web:80", "tasks", ((0.0, rate),), True, False, 1, 0.0,
        duration, timeout, 1, (), "run",
    )  # fmt: skip


def plan(objectives=(), effects=(), duration=30.0, load=True, timeout=10.0):
    lines = tuple(read_objective(o) if isinstance(o, str) else o for o in objectives)
    return Plan(
        "run", "name", "", 1, "e.yaml", "s.yaml", "local", tuple(effects), lines, (),
        load_plan(duration=duration, timeout=timeout) if load else None, 0.0, duration, 5.0, 3600.0,
    )  # fmt: skip


def steps(*told):
    """(seconds, step, effect, data) each."""
    made = []
    for number, (at, step, *rest) in enumerate(sorted(told, key=lambda t: t[0])):
        name = next((r for r in rest if isinstance(r, str)), "")
        data = next((r for r in rest if isinstance(r, dict)), {})
        made.append(Step(number, int(ns(at)), step, name, data))
    return tuple(made)


WITNESSED = {
    "field": "delay", "asked": 0.2, "value": 0.2, "unit": "s", "low": 0.19, "high": 0.21,
    "samples": 100, "confirmed": True, "note": "",
}  # fmt: skip


def life(id="slow-db/api-0", begun=8.0, gone=18.0, confirmed=True, count=100):
    """The steps of a condition that went as it should."""
    seen = dict(WITNESSED, confirmed=confirmed, value=0.2 if confirmed else 0.0004)
    return (
        (begun, "injecting", id), (begun + 0.01, "injected", id), (begun + 1, "witnessed", id),
        (gone - 0.5, "reverting", id), (gone - 0.4, "reverted", id),
        (gone, "judged", id, {"witnessed": [seen], "confirmed": confirmed}),
        (gone, "exercised", id, {"count": count, "unit": "packets"}), (gone, "gone", id),
    )  # fmt: skip


def acted(id="kill/api-0", at=8.0, over=8.5):
    """The steps of an event."""
    return (
        (at, "acting", id), (at + 0.01, "acted", id), (over, "witnessed", id),
        (over, "judged", id, {"witnessed": [WITNESSED], "confirmed": True}),
        (over, "exercised", id, {"count": 12, "unit": "connections"}), (over, "gone", id),
    )  # fmt: skip


def ends(at=30.5, **ended):
    given = {"due": 6000, "sent": 6000, "dropped": 0, "late_p99_ms": 0.4, "died": [], **ended}
    return (0.0, "warmup.over"), (at, "load.ended", given), (at + 1, "run.ended")


def evidence(made, planned, told, **observed):
    seen = observation(made, **observed)
    return Evidence(planned, told, seen, windows_of(planned, told, seen))
