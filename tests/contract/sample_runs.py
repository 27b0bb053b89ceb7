"""A run directory made by hand: 200 requests a second, a slow database from 8 s to 23 s."""

from dataclasses import asdict

from harness.agent.effects import Curve, Link, LinkProfile, LinkSeen, encode
from harness.clock import SECOND, Epoch
from harness.experiment.model import Objective
from harness.load.recorder import Recorder
from harness.load.recording import Flag, Outcome
from harness.record.directory import Facts, RunDirectory
from harness.record.journal import Step, encoded
from harness.record.plan import LoadPlan, Plan, PlannedEffect
from harness.record.witness import Witnessed

EPOCH = Epoch(1_000 * SECOND, 1_700_000_000 * SECOND)
EFFECT = "slow-db/api-0->database"

LOAD = {"due": 7600, "sent": 7600, "dropped": 0, "late_p99_ms": 0.4, "died": []}
DURING = {"window": "during", "window_id": "slow-db"}

OBJECTIVES = (
    Objective("availability >= 99.9% baseline", "availability", ">=", 0.999, window="baseline"),
    Objective("availability >= 99.5% during slow-db", "availability", ">=", 0.995, **DURING),
    Objective("p99 < 900ms during slow-db", "latency", "<", 0.9, 0.99, line=19, **DURING),
    Objective("recovery < 5s after slow-db", "recovery", "<", 5.0, **{**DURING, "window": "after"}),
)  # fmt: skip


def make_run(path, *, objectives=OBJECTIVES, failing=0, steps=None):
    """The directory; of the requests during the fault every `failing`-th times out (0: none)."""
    path.mkdir()
    directory = RunDirectory(path)
    directory.write_plan(plan(path, objectives))
    directory.write_facts(
        Facts(EPOCH, "2026-11-24T02:36:01+00:00", {"python": "3"}, {"cores": "2"})
    )
    write_journal(directory, whole_life() if steps is None else steps)
    write_recording(path, failing)
    return directory


def plan(path, objectives):
    profile = LinkProfile(delay=Curve.constant(0.2), jitter=0.02)
    effect = PlannedEffect(
        EFFECT, "slow-db", "network.latency", "api-0->database", Link("api-0", "", "", ""),
        profile, False, 8.0, 15.0, "wire", "delay 200ms, jitter 20ms, forth",
    )  # fmt: skip
    load = LoadPlan(
        "shopper.py", "web", "http://web:8080", "tasks", ((0.0, 200.0),), False, False, 7, 5.0,
        33.0, 1.0, 1, (), path.name,
    )  # fmt: skip
    return Plan(
        path.name, "checkout-survives-slow-database", "Shoppers can pay.", 4242,
        "experiments/checkout.yaml", "scenarios/checkout/system.yaml", "local", (effect,),
        tuple(objectives), (), load, 5.0, 33.0, 10.0, 3600.0,
    )  # fmt: skip


def whole_life(*, confirmed=True, exercised=3120):
    """(second, step, effect, data) of a run in which everything went as planned."""
    witnessed = [asdict(Witnessed("delay", 0.2, 0.203, "s", 0.199, 0.214, 280, confirmed))]
    looks = [(9.0 + n, "look", EFFECT, look(9.0 + n, witnessed)) for n in range(14)]
    return [
        (-9.0, "run.started", "", {}),
        (-6.0, "world.ready", "", {}),
        (-5.0, "load.started", "", {}),
        (0.0, "warmup.over", "", {}),
        (7.0, "before", EFFECT, {}),
        (8.0, "gate", "", {"intervention": "slow-db", "ok": True, "reason": ""}),
        (8.0, "receipt", EFFECT, {"receipt": "r"}),
        (8.0, "injecting", EFFECT, {"generation": 1}),
        (8.012, "injected", EFFECT, {}),
        (9.0, "witnessed", EFFECT, {}),
        *looks,
        (23.0, "reverting", EFFECT, {"generation": 2}),
        (23.008, "reverted", EFFECT, {}),
        (23.3, "judged", EFFECT, {"witnessed": witnessed, "confirmed": confirmed}),
        (23.3, "exercised", EFFECT, {"count": exercised, "unit": "packets"}),
        (23.3, "gone", EFFECT, {}),
        (33.2, "load.ended", "", LOAD),
        (34.0, "world.closed", "", {}),
        (34.1, "run.ended", "", {}),
    ]  # fmt: skip


def look(end, witnessed):
    seen = LinkSeen(EPOCH.mono_ns / SECOND + end - 0.9, EPOCH.mono_ns / SECOND + end)
    return {"seen": encode(seen), "witnessed": witnessed}


def write_journal(directory, steps):
    made = (
        Step(number, EPOCH.mono(second), name, effect, data)
        for number, (second, name, effect, data) in enumerate(steps)
    )
    directory.journal.write_bytes(encoded(made))


def write_recording(path, failing):
    recorder = Recorder(path, 0)
    recorder.begin(EPOCH.mono_ns)
    for arrival in range(38 * 200):
        due = -5.0 + arrival / 200
        slow = 8.012 <= due < 23.0
        lost = bool(failing) and slow and arrival % failing == 0
        took = 1.0 if lost else (0.206 if slow and arrival % 50 == 0 else 0.005)
        row = [EPOCH.mono(due), EPOCH.mono(due + 0.0002), EPOCH.mono(due + took)]
        outcome = Outcome.TIMEOUT if lost else Outcome.OK
        for flags in (Flag.FIRST, Flag.JOURNEY):
            recorder.add("pay", *row, outcome=outcome, flags=flags, arrival=arrival, status=200)
    recorder.close()
