"""Runs on pods are held at a step of their fault, somebody is killed, and nothing is left.

By hand, because it takes minutes: `HARNESS_KILLS=60 pytest -s tests/k8s/kills_at_steps.py`. Seeded:
each victim once, then any, with a fault and a step by chance; HARNESS_KILLS_SEED chooses others.
"""

import os
import random
import signal
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import pytest
from clusters import until
from test_kills import (
    SPACE,
    agent,
    agent_pod,
    apps,  # noqa: F401  a fixture
    expire,
    harness,
    shim,
    started,
    target_pod,
)

from harness.agent.stepping import LISTENER
from harness.selftest.steps import Steps

SEED = int(os.environ.get("HARNESS_KILLS_SEED", "7"))
REACHED_S, CLEAN_S, AT_ONCE = 90, 90, 3
#: With an agent on the pod's node, and by the API server alone.
ON_PODS = {
    "network.latency": ", delay: 100ms",
    "network.partition": "",
    "process.pause": "",
}
BY_API = {"scale.to": ", replicas: 0", "rollout.bad_image": ""}
STEPS = ("before", "receipt", "injecting", "injected", "witnessed", "held", "reverting", "gone",
         "world closing")  # fmt: skip


def signalled(*numbers):
    def strike(row):
        for number in numbers:
            row.run.send_signal(number)
            time.sleep(0.03)

    return strike


def stopped(row):
    """For longer than its lease; then it goes on."""
    row.run.send_signal(signal.SIGSTOP)
    threading.Timer(7.0, row.run.send_signal, [signal.SIGCONT]).start()


WITHOUT_AGENT = {
    "harness": harness, "Ctrl-C twice": signalled(signal.SIGINT, signal.SIGINT),
    "SIGTERM": signalled(signal.SIGTERM), "harness stopped": stopped,
}  # fmt: skip
VICTIMS = {
    **WITHOUT_AGENT, "agent": agent, "agent pod": agent_pod, "its shim": shim,
    "target pod": target_pod,
}  # fmt: skip


@dataclass(frozen=True)
class Shot:
    fault: str
    step: str
    victim: str


def chosen(how_many):
    chance = random.Random(SEED)
    victims = [*VICTIMS, *chance.choices(list(VICTIMS), k=max(0, how_many - len(VICTIMS)))]
    victims = victims[:how_many]
    return [_by_chance(victim, chance) for victim in victims]


def _by_chance(victim, chance):
    faults = [*ON_PODS, *(BY_API if victim in WITHOUT_AGENT else ())]
    return Shot(chance.choice(faults), chance.choice(STEPS), victim)


@pytest.mark.timeout(3600)
def test_whatever_the_step_nothing_is_left(cluster, apps, tmp_path):  # noqa: F811
    shots = chosen(int(os.environ.get("HARNESS_KILLS", len(VICTIMS))))
    said = []
    for at in range(0, len(shots), AT_ONCE):
        wave = list(zip(shots[at : at + AT_ONCE], apps, strict=False))
        (tmp_path / str(at)).mkdir()
        with ThreadPoolExecutor() as pool:
            said += pool.map(lambda one, at=at: taken(cluster, tmp_path / str(at), *one), wave)
    missed = [line for line in said if "MISSED" in line]
    print(f"seed {SEED}: {len(said)} shots, {len(missed)} missed")
    assert len(missed) < len(said) / 2


def taken(cluster, folder, shot, name):
    """One line about it. A step that a run never came to is missed: it was refused, or is over."""
    about = {**ON_PODS, **BY_API}[shot.fault]
    line = f"{{id: f, at: 1s, for: 4s, fault: {shot.fault}, target: app{about}}}"
    before = spec(cluster, name)
    socket = folder / f"steps-{name}"
    steps = Steps(socket)
    row = started(cluster, folder, shot.victim, name, line, {LISTENER: str(socket)})
    try:
        hit = _held(row, steps, shot.step)
        begun = time.monotonic()
        if hit:
            VICTIMS[shot.victim](row)
        _go_on(row, steps)
        row.run.communicate(timeout=10)
        _recovered(row, shot)
        until(f"{shot}: nothing is left", lambda: row.is_clean() and spec(cluster, name) == before,
              CLEAN_S)  # fmt: skip
    finally:
        row.run.kill()
        steps.close()
    took = f"{time.monotonic() - begun:.1f} s, exit {row.run.returncode}" if hit else "MISSED"
    print(f"| {shot.fault} | {shot.step} | {shot.victim} | {took} |")
    return took


def _held(row, steps, step):
    end = time.monotonic() + REACHED_S
    while row.run.poll() is None and time.monotonic() < end:
        if steps.serve(0.1, (step,)):
            return True
    return False


def _go_on(row, steps):
    steps.go_on()
    end = time.monotonic() + CLEAN_S
    while row.run.poll() is None and time.monotonic() < end:
        steps.serve(0.1)


def _recovered(row, shot):
    """What outlives its harness is taken back by whoever is asked to, from the Leases alone."""
    if shot.victim == "harness" and shot.fault in BY_API:
        expire(row.cluster, "-l", f"harness.dev/run={row.place.run_id()}")
        status, said = row.place.run("recover", "--expired", "--system", "system.yaml")
        assert status == 0, said


def spec(cluster, name):
    """What may be written of the workload."""
    found = cluster.get("-n", SPACE, "deploy", name)["spec"]
    return found["replicas"], found["template"]["spec"]["containers"][0]["image"]
