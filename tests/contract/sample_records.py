"""Records of every kind, made by hand: what each renderer must be able to tell."""

import dataclasses
import math
import random

from harness.record.witness import Witnessed
from harness.report.measured import (
    Amplification,
    Crossing,
    Finding,
    Impact,
    Leg,
    Name,
    Resource,
    Usage,
)
from harness.report.record import (
    Effect,
    Event,
    Exercised,
    Load,
    Objective,
    Record,
    Recovery,
    Run,
    Series,
    Sighting,
    Track,
    Window,
)

RUN = Run(
    id="checkout-survives-slow-database-7f3a",
    name="checkout-survives-slow-database",
    hypothesis="Shoppers can pay while the database answers 200 ms later.",
    seed=4242,
    started="2026-11-24T02:36:01+00:00",
    duration_s=33.0,
    directory="reports/checkout-survives-slow-database-7f3a",
    experiment="experiments/checkout-survives-slow-database.yaml",
    system="scenarios/checkout/system.yaml",
    substrate="local",
    warmup_s=5.0,
    variables={"rate": "200/s"},
    versions={"harness": "0.1.0", "python": "3.11.7"},
    machine={"cpus": "2", "kernel": "6.1"},
)


def series(seed=1, seconds=38, broken=False):
    draw = random.Random(seed)
    asked, reached, p50, p99 = [], [], [], []
    timeouts, refused = [], []
    for second in range(-5, seconds - 5):
        slow = 8 <= second < 23
        asked.append(200.0)
        reached.append(200.0 - draw.random() * (6 if slow else 2))
        p50.append(4.2 + draw.random() + (2 if slow else 0))
        failing = broken and 12 <= second < 15
        p99.append(math.inf if failing else (231 if slow else 18) + draw.random() * 12)
        timeouts.append(draw.randrange(4, 30) if broken and slow else 0)
        refused.append(draw.randrange(1, 12) if broken and 8 <= second < 11 else 0)
    errors = (("timeout", tuple(timeouts)), ("refused", tuple(refused))) if broken else ()
    return Series(-5.0, 1.0, tuple(asked), tuple(reached), tuple(p50), tuple(p99), errors)


def objective(text="availability >= 99.5% during slow-db", **given):
    made = Objective(
        text=text,
        window="during slow-db",
        claim="run",
        verdict="pass",
        value=1.0,
        low=0.9988,
        high=1.0,
        unit="share",
        good=3043,
        count=3043,
        needed=0,
        confidence=0.95,
        proves="proves 99.9 % at 95 %",
        says="All 3,043 requests were good.",
        indicator="availability",
        limit=0.995,
        start_s=8.02,
        end_s=23.31,
        line=18,
    )
    return dataclasses.replace(made, **given)


OBJECTIVES = (
    objective(
        "availability >= 99.9% baseline",
        window="baseline",
        good=1591,
        count=1591,
        says="All 1,591 requests were good.",
        proves="proves 99.81 % at 95 %",
        start_s=0.0,
        end_s=8.0,
        line=17,
    ),
    objective(),
    objective(
        "p99(pay) < 900ms during slow-db",
        indicator="latency",
        unit="s",
        value=0.243,
        low=0.236,
        high=0.251,
        limit=0.9,
        good=301,
        count=301,
        says="P99 was 243 ms.",
        proves="",
        line=19,
    ),
    objective(
        "recovery < 5s after slow-db",
        window="after slow-db",
        indicator="recovery",
        unit="s",
        value=1.2,
        low=None,
        high=None,
        limit=5.0,
        good=0,
        count=0,
        proves="",
        says="Recovered 1.2 s after the removal (resolution 0.1 s, held for 5 s).",
        start_s=23.3,
        end_s=33.0,
        line=20,
    ),
)


def effect(replica=0, **given):
    draw = random.Random(replica)
    seen = tuple((8.2 + i, 9.2 + i, 0.2 + draw.uniform(-0.004, 0.012)) for i in range(14))
    made = Effect(
        id=f"slow-db/api-{replica}->database",
        intervention="slow-db",
        fault="network.latency",
        target=f"api-{replica}->database",
        mechanism="wire",
        says="delay 200ms, jitter 20ms, forth",
        event=False,
        confirmed=True,
        witnessed=(
            Witnessed("delay", 0.2, 0.2031, "s", 0.1989, 0.2142, 281, True),
            Witnessed("jitter", 0.02, 0.0, "s", 0.0, 0.0, 0, None),
        ),
        exercised=Exercised(3120, "packets"),
        injected_at_s=8.02,
        inject_ms=12.4,
        reverted_at_s=23.1,
        revert_ms=8.1,
        gone_at_s=23.31,
        tracks=(Track("delay", "s", ((8.02, 0.2), (23.1, 0.2)), seen),),
    )
    return dataclasses.replace(made, **given)


EVENTS = (
    Event(-5.0, "load.started", "", "the load began"),
    Event(0.0, "warmup.over", "", "the warm-up was over"),
    Event(8.01, "injecting", "slow-db/api-0->database", "inject began"),
    Event(8.02, "injected", "slow-db/api-0->database", "injected"),
    Event(9.2, "witnessed", "slow-db/api-0->database", "the witness saw it"),
    Event(23.1, "reverted", "slow-db/api-0->database", "taken back"),
    Event(23.31, "gone", "slow-db/api-0->database", "the witness saw it gone"),
)

WINDOWS = (
    Window("baseline", 0.0, 8.0, 1591, 1.0, 4.6, 22.1),
    Window("during slow-db", 8.02, 23.31, 3043, 1.0, 6.5, 243.0),
    Window("after slow-db", 23.31, 33.0, 1930, 1.0, 4.5, 24.0),
)

PASS = Record(
    run=RUN,
    verdict="pass",
    exit_status=0,
    objectives=OBJECTIVES,
    effects=(effect(0), effect(1)),
    load=Load(7600, 7600, 0, 0.41, 199.8),
    crossing=Crossing(
        "web",
        "http://192.0.2.11:30080",
        "pod web-0 asked from its node n1",
        100,
        (
            Leg("connect", 0.271, 2.51, 0.298, 0.706, -0.0045, 2.094),
            Leg("first byte", 2.1, 8.4, None, None, None, None),
        ),
    ),
    windows=WINDOWS,
    recoveries=(Recovery("slow-db", 23.31, 24.51, "recovered after 1.2 s"),),
    events=EVENTS,
    series=series(),
)

FAIL = dataclasses.replace(
    PASS,
    verdict="fail",
    exit_status=1,
    objectives=(
        OBJECTIVES[0],
        objective(
            verdict="fail",
            value=0.9812,
            low=0.976,
            high=0.9856,
            good=2986,
            says="57 of 3,043 requests failed; 15 were allowed.",
            proves="",
        ),
        objective(
            "p99 < 100ms during slow-db",
            verdict="fail",
            indicator="latency",
            unit="s",
            value=math.inf,
            low=0.09,
            high=math.inf,
            limit=0.1,
            good=2986,
            says="1.87 % failed; P99 of successes 84 ms.",
            proves="",
        ),
        objective(
            "recovery < 5s after slow-db",
            verdict="fail",
            window="after slow-db",
            indicator="recovery",
            unit="s",
            value=None,
            low=9.7,
            high=None,
            good=0,
            count=0,
            proves="",
            limit=5.0,
            says="Not recovered within 9.7 s.",
            start_s=23.3,
            end_s=33.0,
        ),
        objective(
            "throughput > 190/s during slow-db",
            severity="warn",
            verdict="fail",
            indicator="throughput",
            unit="/s",
            value=183.2,
            low=None,
            high=None,
            limit=190.0,
            says="183/s.",
            proves="",
        ),
    ),
    windows=(
        WINDOWS[0],
        dataclasses.replace(WINDOWS[1], availability=0.9812, p99_ms=math.inf),
        WINDOWS[2],
    ),
    recoveries=(
        Recovery(
            "slow-db", 23.31, None, "not recovered within 9.7 s", 26.0, "deployment/api whole"
        ),
    ),
    cluster=(
        Sighting(-3.0, "pod", "api-1", "ready", "ready on n1", "api"),
        Sighting(-3.0, "workload", "deployment/api", "whole", "1 of 1 ready", "api"),
        Sighting(9.1, "pod", "api-1", "leaving", "leaving on n1", "api"),
        Sighting(9.2, "workload", "deployment/api", "short", "0 of 1 ready", "api"),
        Sighting(9.3, "pod", "api-2", "pending", "pending", "api"),
        Sighting(9.4, "event", "pod/api-1", "Killing", "Stopping container api"),
        Sighting(12.0, "pod", "api-1", "absent", "gone", "api"),
        Sighting(26.0, "workload", "deployment/api", "whole", "1 of 1 ready", "api"),
    ),
    series=series(broken=True),
)

IMPACT = Impact(
    intervention="slow-db",
    after_s=0.012,
    bad=57,
    failed=57,
    count=5000,
    bad_seconds=3,
    lost=57.0,
    healed_s=None,
    changed_s=None,
    disagrees=False,
    by_itself=False,
    recovered=False,
    budget_target=0.999,
    budget_share=0.00011,
    budget_most=9090,
)

FAIL = dataclasses.replace(
    FAIL,
    findings=(
        Finding("impact", "slow-db", "First bad request 12 ms after the inject; 57 of 5,000 bad."),
        Finding("not recovered", "slow-db", "Did not recover after the fault was removed.", True),
    ),
    impacts=(IMPACT,),
    amplifications=(Amplification("database", "during slow-db", 5.4, 1.8, 3.0),),
    names=(
        Name("during slow-db", "name", "pay", 301, 0.98, 19.8, 19.4, 4.2, math.inf),
        Name("during slow-db", "tag", "money", 301, 0.98, 19.8, 19.4, 4.2, 231.0),
    ),
    resources=(Resource("api", "baseline", 52e6, 0.07, 5.0, 34.0),),
    usages=(
        Usage("api", "api-0", "memory", "B", ((-4.0, 50e6), (10.0, 61e6), (30.0, 62e6))),
        Usage("api", "api-1", "memory", "B", ((-4.0, 51e6), (10.0, 52e6), (30.0, 52e6))),
        Usage("api", "api-0", "cpu", "cores", ((-4.0, 0.05), (10.0, 0.2))),
    ),
)

INCONCLUSIVE = dataclasses.replace(
    PASS,
    verdict="inconclusive",
    exit_status=3,
    reasons=(),
    objectives=(
        OBJECTIVES[1],
        objective(
            "availability >= 99.99% baseline at 95%",
            claim="general",
            verdict="inconclusive",
            window="baseline",
            needed=28364,
            good=1591,
            count=1591,
            low=0.99812,
            says="No failure in 1,591 requests proves 99.81 % at 95 %, not 99.99 %.",
            start_s=0.0,
            end_s=8.0,
        ),
    ),
)

INVALID = dataclasses.replace(
    PASS,
    verdict="invalid",
    exit_status=6,
    reasons=(
        "slow-db/api-0->database was not confirmed: delay asked 200 ms, seen 0.4 ms",
        "slow-db/api-1->database was not exercised: none of the system's own packets met it",
    ),
    effects=(
        effect(
            0,
            confirmed=False,
            witnessed=(Witnessed("delay", 0.2, 0.0004, "s", 0.0001, 0.0009, 281, False),),
            tracks=(
                Track(
                    "delay",
                    "s",
                    ((8.0, 0.2), (23.0, 0.2)),
                    ((8.2, 9.2, 0.0004), (9.2, 10.2, 0.0003)),
                ),
            ),
        ),
        effect(1, exercised=Exercised(0, "packets")),
    ),
)

DIRTY = dataclasses.replace(
    PASS,
    verdict="dirty",
    exit_status=5,
    reasons=("slow-db/api-0->database could not be taken back",),
    effects=(
        effect(
            0,
            left_behind=("a relay still holds port v-api-0",),
            by_hand=("ip link set v-api-0 master br0",),
            reverted_at_s=None,
            revert_ms=None,
            gone_at_s=None,
        ),
        effect(1),
    ),
)

INTERRUPTED = dataclasses.replace(
    PASS,
    verdict="interrupted",
    exit_status=4,
    reasons=("interrupted by a person (SIGINT) at 11.2 s",),
    objectives=(),
    effects=(
        effect(0, reverted_at_s=11.3, gone_at_s=11.5),
        effect(
            1,
            injected_at_s=None,
            inject_ms=None,
            reverted_at_s=None,
            revert_ms=None,
            gone_at_s=None,
            confirmed=False,
            witnessed=(),
            exercised=None,
            tracks=(),
        ),
    ),
    windows=WINDOWS[:1],
    recoveries=(),
)

ERROR = dataclasses.replace(
    INTERRUPTED,
    verdict="error",
    exit_status=70,
    reasons=("the journal cannot be written",),
    series=None,
    load=None,
    windows=(),
    effects=(),
    events=(),
)

EXPLORED = dataclasses.replace(
    PASS, objectives=(), recoveries=(Recovery("slow-db", 23.31, None, "never impacted"),)
)

_HOSTILE = "<script>alert(1)</script> [bold red]x[/] | `y` \x1b[31m ]]> & \"q\" 'a'"

HOSTILE = dataclasses.replace(
    FAIL,
    run=dataclasses.replace(
        RUN, name=_HOSTILE, hypothesis=_HOSTILE, directory="reports/a b", id=_HOSTILE
    ),
    reasons=(_HOSTILE + "\n::error::x",),
    warnings=(_HOSTILE,),
    objectives=(objective(_HOSTILE, verdict="fail", says=_HOSTILE, window=_HOSTILE),),
    effects=(effect(0, id=_HOSTILE, intervention=_HOSTILE, target=_HOSTILE, says=_HOSTILE),),
    windows=(dataclasses.replace(WINDOWS[0], name=_HOSTILE),),
    events=(Event(1.0, "trouble", _HOSTILE, _HOSTILE),),
    cluster=(Sighting(1.0, "pod", _HOSTILE, "ready", _HOSTILE, _HOSTILE),),
    recoveries=(Recovery(_HOSTILE, 1.0, None, _HOSTILE, 2.0, _HOSTILE),),
    findings=(Finding("impact", _HOSTILE, _HOSTILE, True),),
    amplifications=(Amplification(_HOSTILE, _HOSTILE, 2.0, 1.0, 2.0),),
    names=(Name(_HOSTILE, "name", _HOSTILE, 1, 1.0, 1.0, 1.0, 1.0, 1.0),),
    usages=(Usage(_HOSTILE, _HOSTILE, "memory", "B", ((0.0, 1.0), (1.0, 2.0))),),
)

KILLED = dataclasses.replace(
    PASS,
    effects=(
        effect(0),
        effect(
            0,
            id="kill-api/api-1",
            intervention="kill-api",
            fault="process.kill",
            target="api-1",
            mechanism="signals",
            says="signal KILL",
            event=True,
            witnessed=(Witnessed("gone", 1, 1, "count", 1, 1, 2, True),),
            exercised=Exercised(1, "processes"),
            injected_at_s=27.0,
            inject_ms=1.0,
            reverted_at_s=None,
            revert_ms=None,
            gone_at_s=27.4,
            tracks=(),
        ),
    ),
)

SAMPLES = {
    "pass": PASS,
    "fail": FAIL,
    "inconclusive": INCONCLUSIVE,
    "invalid": INVALID,
    "dirty": DIRTY,
    "interrupted": INTERRUPTED,
    "error": ERROR,
    "explored": EXPLORED,
    "hostile": HOSTILE,
    "killed": KILLED,
}
