"""Each net under a fault alone, with the others disabled: on a process outside of any world, where
what is not taken back would stay.

A net is disabled by stopping or killing who would carry it out, all in one moment.
"""

import signal
import time

import pytest

from harness.selftest.family import signalled
from harness.selftest.here import Here
from harness.selftest.judge import judged
from harness.selftest.results import Cell, Shot
from harness.selftest.shot import shooting_range
from harness.selftest.victims import CONT, KILL, STOP, VICTIMS

HERE = Here()
TERM = signal.SIGTERM
#: Who gets which signal, and who then takes back.
NETS = {
    "signals": ({"reaper": STOP, "harness": TERM}, "harness"),
    "the end of the agent's pipe": ({"reaper": STOP, "harness": KILL}, "agent"),
    "the agent's lease": ({"reaper": STOP, "harness": STOP}, "agent"),
    "the reaper of a dead agent": ({"harness": STOP, "agent": KILL}, "reaper"),
    "the reaper of an agent that hangs": ({"harness": STOP, "agent": STOP}, "reaper"),
    "the reaper of a hanging agent without its harness": (
        {"agent": STOP, "harness": KILL}, "reaper"),
    "recover": ({"harness": KILL, "agent": KILL, "reaper": KILL}, "recover"),
}  # fmt: skip


@pytest.mark.parametrize("net", NETS)
@pytest.mark.parametrize("step", ["made", "witnessed"])
def test_each_net_alone(tmp_path, net, step):
    signals, by = NETS[net]
    cell = Cell("attached", "process.pause", step, net)
    with shooting_range(HERE, cell, tmp_path / "run") as run:
        assert run.until((step,)) == step
        run.family.look()
        assert run.family.traces()
        begin = time.monotonic()
        struck = strike(run, signals)
        run.steps.go_on()
        if by == "recover":
            run.watch(HERE.lease_s + 1)
            assert run.family.traces(), "nobody else could"
        else:
            gone_within(run, 3 * HERE.deadline_s)
        took = time.monotonic() - begin
        signalled(struck, CONT)
        run.family.frozen.clear()
        run.watch(run.place.over_s)
        shot = judged(run, Shot(cell), begin)
    print(f"NET {net}: {shot.by}, within {took:.2f} s")
    assert shot.by == by
    assert not shot.left
    assert not shot.wrong


def strike(run, signals):
    """Everybody is stopped before anybody is killed: it is one moment."""
    chosen = {name: VICTIMS[name].choose(run.family, run.harness) for name in signals}
    assert all(chosen.values()), chosen
    for name, found in chosen.items():
        if signals[name] in (STOP, KILL):
            signalled(found, STOP)
    for name, found in chosen.items():
        signalled(found, signals[name])
    stopped = [p for name, found in chosen.items() if signals[name] is STOP for p in found]
    run.family.frozen |= {(p.pid, p.start) for p in stopped}
    return stopped


def gone_within(run, seconds):
    end = time.monotonic() + seconds
    while run.family.traces():
        assert time.monotonic() < end, run.family.traces()
        run.steps.serve(0.02)
        run.family.look()
