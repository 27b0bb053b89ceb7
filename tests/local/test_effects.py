"""What each fault really does, seen from inside the world as a person would look: by ping, by the
kernel's own counters, by a client of the system. No witness and no judge of ours is asked.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import re
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from worlds import PYTHON, WHY_NOT, faults_of_a_world, said

from harness.agent.effects import InForce, Snapshot
from harness.cli.options import load
from harness.record.plan import Plan, PlannedEffect
from harness.run.plan import make_plan
from harness.substrates.local.substrate import LocalSubstrate
from harness.substrates.local.world import LocalWorld

pytestmark = pytest.mark.skipif(bool(WHY_NOT), reason=f"no local world: {WHY_NOT}")

PORT, BYTES, SOME = 8000, 500_000, 100_000
MORE = "ready: tcp, restart: {after: 0.2s}"
SYSTEM = f"""
apiVersion: harness/v1
kind: System
metadata: {{name: effects}}
spec:
  services:
    server: {{run: "{PYTHON} -m http.server $(port)", port: {PORT}, zones: [far], {MORE}}}
    caller:
      {{run: "{PYTHON} -m http.server $(port)", port: {PORT}, ready: tcp, calls: [server]}}
"""
EXPERIMENT = """
apiVersion: harness/v1
kind: Experiment
metadata: {{name: effects}}
spec:
  hypothesis: It is so.
  system: system.yaml
  timeline: [{{id: it, at: 2s, fault: {fault}, {fields}}}]
  objectives: []
"""
ASK = """
import sys, time, urllib.request, urllib.error
begun = time.monotonic()
try:
    got = len(urllib.request.urlopen("http://server:8000/" + sys.argv[1], timeout=1.5).read())
    print("ok", time.monotonic() - begun, got)
except Exception as error:
    print(type(getattr(error, "reason", error)).__name__, time.monotonic() - begun, 0)
"""
#: Until the server's end of the connection.
UNTIL_END = """
import socket, time
begun = time.monotonic()
asked = socket.create_connection(("server", 8000), 2)
asked.settimeout(4)
asked.sendall(b"GET /small HTTP/1.0\\r\\n\\r\\n")
while asked.recv(1000): pass
print("ok", time.monotonic() - begun)
"""
#: Says how an idle connection ended, if it did.
HOLD = """
import socket
held = socket.create_connection(("server", 8000), 1)
held.settimeout(5)
try:
    print("closed" if held.recv(1) == b"" else "data")
except OSError as error:
    print(type(error).__name__)
"""
PIDS = """
import os
for pid in filter(str.isdigit, os.listdir("/proc")):
    try:
        same = os.readlink(f"/proc/{pid}/ns/net") == os.readlink("/proc/self/ns/net")
        if same and b"http.server" in open(f"/proc/{pid}/cmdline", "rb").read():
            print(pid)
    except OSError:
        pass
"""


@dataclass
class Inside:
    """A world that is up; everything is done on host `caller` unless it says otherwise."""

    world: LocalWorld
    substrate: LocalSubstrate
    directory: Path
    _generation: int = field(default=0)

    def run(self, command: str, host: str = "caller", service: bool = True) -> str:
        return said(self.world.name, host, command, self.directory, service)[0]

    def python(self, program: str, argument: str = "") -> str:
        path = self.directory / "program.py"
        path.write_text(program)
        return self.run(f"{PYTHON} {path} {argument}").strip()

    def ask(self, path: str = "small") -> tuple[str, float, int]:
        """How a request of the caller ended, after how long, and how much came."""
        outcome, took, got = self.python(ASK, path).split()
        return outcome, float(took), int(got)

    def ping(self, count: int = 60, every: float = 0.01) -> str:
        return self.run(f"ping -n -c {count} -i {every} -W 1 server", service=False)

    def counter(self, name: str) -> int:
        """One of the kernel's, on the server's host."""
        text = self.run("cat /proc/net/snmp", "server")
        lines = [line.split() for line in text.splitlines() if line.startswith("Icmp:")]
        return int(dict(zip(*lines, strict=True))[name])

    @contextlib.contextmanager
    def under(self, fault: str, fields: str) -> Iterator[Plan]:
        """The fault is on, as a person wrote it; afterwards all of it is taken back."""
        text = EXPERIMENT.format(fault=fault, fields=fields)
        path = self.directory / "experiment.yaml"
        path.write_text(text)
        plan = make_plan(load(path, (), None), self.substrate, 1, "run")
        snapshots: dict[object, Snapshot] = {}
        with contextlib.ExitStack() as stack:
            for effect in plan.effects:
                if effect.event:
                    self.world.hands.act(effect.resource, "receipt", effect.does, effect.id)
                    continue
                if effect.resource not in snapshots:
                    snapshots[effect.resource] = self.world.hands.snapshot(effect.resource)
                    stack.callback(self._make, effect, snapshots[effect.resource], ())
                mine = tuple(
                    InForce(e.id, e.does, time.monotonic())
                    for e in plan.effects if e.resource == effect.resource
                )  # fmt: skip
                self._make(effect, snapshots[effect.resource], mine)
            yield plan

    def _make(self, effect: PlannedEffect, before: Snapshot, mine: tuple[InForce, ...]) -> None:
        self._generation += 1
        hands = self.world.hands
        hands.make(effect.resource, "receipt", self._generation, before, mine)


@pytest.fixture(scope="module")
def inside(tmp_path_factory) -> Iterator[Inside]:
    directory = tmp_path_factory.mktemp("effects")
    (directory / "system.yaml").write_text(SYSTEM)
    (directory / "small").write_text("ok")
    (directory / "big").write_bytes(os.urandom(BYTES))
    (directory / "some").write_bytes(os.urandom(SOME))
    (directory / "experiment.yaml").write_text(
        EXPERIMENT.format(fault="process.kill", fields="target: server")
    )
    system = load(directory / "experiment.yaml", (), None).system
    substrate = LocalSubstrate()
    with substrate.open(system, directory, 60.0) as world:
        yield Inside(world, substrate, directory)


# ---------------------------------------------------------------- what is looked at


def is_late(inside: Inside) -> None:
    times = [float(t) for t in re.findall(r"time=([\d.]+)", inside.ping(20))]
    assert 75 < sorted(times)[len(times) // 2] < 110, times


def is_lost(inside: Inside) -> None:
    answers = inside.ping(150).count("bytes from")
    assert 40 < answers < 130, "60 % of 150 are 90"


def is_narrow(inside: Inside) -> None:
    outcome, took, got = inside.ask("big")
    assert (outcome, got) == ("ok", BYTES)
    assert took > 0.8 * BYTES * 8 / 8e6, "500 kB at 8 Mbit/s take half a second"


def is_cut_in_silence(inside: Inside) -> None:
    assert inside.ask()[0] == "TimeoutError"


def comes_twice(inside: Inside) -> None:
    assert 20 < inside.ping(150).count("DUP!") < 110, "40 % of 150 are 60"


def is_out_of_order(inside: Inside) -> None:
    numbers = [int(n) for n in re.findall(r"icmp_seq=(\d+)", inside.ping(100, 0.005))]
    assert sorted(numbers) == list(range(1, 101)), "nothing is lost"
    assert sum(b < a for a, b in itertools.pairwise(numbers)) > 5, numbers


def is_damaged(inside: Inside) -> None:
    before = inside.counter("InCsumErrors")
    inside.ping(150)
    assert 25 < inside.counter("InCsumErrors") - before < 110, "40 % of 150 are 60"


def answers_later(inside: Inside) -> None:
    outcome, took, _ = inside.ask()
    assert outcome == "ok"
    assert 0.08 < took < 1.0


def is_refused(inside: Inside) -> None:
    assert inside.ask()[0] == "ConnectionRefusedError"


def is_reset(inside: Inside) -> None:
    assert inside.ask()[0] == "ConnectionResetError"


def hangs(inside: Inside) -> None:
    outcome, took, _ = inside.ask()
    assert outcome == "TimeoutError"
    assert took > 1.4


def comes_slowly(inside: Inside) -> None:
    outcome, took, got = inside.ask("some")
    assert (outcome, got) == ("ok", SOME)
    assert took > 0.8 * SOME * 8 / 800e3, "100 kB at 800 kbit/s take a second"


def comes_in_pieces(inside: Inside) -> None:
    outcome, took, got = inside.ask("some")
    assert (outcome, got) == ("ok", SOME)
    assert took > 0.8 * 0.01 * SOME / 2048, "at least 49 pieces, 10 ms each"


def breaks_off(inside: Inside) -> None:
    outcome, _, _ = inside.ask("some")
    assert outcome == "IncompleteRead"


def ends_later(inside: Inside) -> None:
    """HTTP/1.0: an answer is over when the server closes."""
    outcome, took = inside.python(UNTIL_END).split()
    assert outcome == "ok"
    assert 0.4 < float(took) < 2.5


def comes_and_goes(inside: Inside) -> None:
    outcomes = []
    until = time.monotonic() + 5
    while time.monotonic() < until and len(set(outcomes)) < 2:
        outcomes.append(inside.ask()[0])
    assert set(outcomes) == {"ok", "ConnectionRefusedError"}, outcomes


EFFECTS: dict[str, list[tuple[str, Callable[[Inside], None]]]] = {
    "network.latency": [("delay: 80ms", is_late), ("delay: 40ms, direction: both", is_late)],
    "network.loss": [("loss: 40%", is_lost), ("loss: 40%, direction: back", is_lost)],
    "network.bandwidth": [("rate: 8mbit, direction: back", is_narrow)],
    "network.partition": [
        ("mode: drop", is_cut_in_silence), ("mode: reject", is_refused),
        ("mode: drop, direction: back", is_cut_in_silence),
        (f"mode: reject, ports: [{PORT}]", is_refused),
    ],
    "zone.down": [("", is_cut_in_silence)],
    "network.duplicate": [("duplicate: 40%", comes_twice)],
    "network.reorder": [("reorder: 30%, hold: 20ms", is_out_of_order)],
    "network.corrupt": [("corrupt: 40%", is_damaged)],
    "dependency.latency": [("delay: 100ms", answers_later)],
    "dependency.down": [("", is_refused)],
    "dependency.reset": [("", is_reset)],
    "dependency.timeout": [("", hangs)],
    "dependency.bandwidth": [("rate: 800kbit", comes_slowly)],
    "dependency.slow_close": [("delay: 500ms", ends_later)],
    "dependency.slicer": [("size: 2KiB, pause: 10ms", comes_in_pieces)],
    "dependency.limit_data": [("limit: 50KB", breaks_off)],
    "dependency.flapping": [("down: 500ms, up: 500ms", comes_and_goes)],
    "process.pause": [("", hangs)],
    "process.kill": [],
    "service.restart": [],
}  # fmt: skip


WHERE = {"process": "target: server", "zone": "target: zone/far"}


@pytest.mark.parametrize(
    ("fault", "fields", "looks"),
    [(fault, fields, looks) for fault, each in EFFECTS.items() for fields, looks in each],
)
def test_a_condition_is_felt_while_it_is_on_and_not_afterwards(inside, fault, fields, looks):
    family = fault.partition(".")[0]
    where = WHERE.get(family, "from: caller, to: server")
    with inside.under(fault, ", ".join(filter(None, [where, "for: 30s", fields]))):
        looks(inside)
    is_as_before(inside)


@pytest.mark.parametrize(
    ("fault", "fields"), [("process.kill", ""), ("service.restart", ", grace: 1s")]
)
def test_an_event_ends_what_ran_and_another_answers(inside, fault, fields):
    before, ended = pids(inside), []
    program = inside.directory / "hold.py"
    program.write_text(HOLD)

    def hold() -> None:
        own = inside.directory / "hold"
        own.mkdir(exist_ok=True)
        ended.append(said(inside.world.name, "caller", f"{PYTHON} {program}", own)[0].strip())

    thread = threading.Thread(target=hold)
    thread.start()
    time.sleep(0.5)
    with inside.under(fault, f"target: server{fields}"):
        thread.join(10)
    assert ended[0] in ("closed", "ConnectionResetError")
    until = time.monotonic() + 6
    while inside.ask()[0] != "ok" and time.monotonic() < until:
        time.sleep(0.1)
    assert before
    assert not before & pids(inside), "another process serves now"
    is_as_before(inside)


def pids(inside: Inside) -> set[str]:
    """Of the processes that serve on the server's host."""
    path = inside.directory / "pids.py"
    path.write_text(PIDS)
    return set(inside.run(f"{PYTHON} {path}", "server", service=False).split())


def is_as_before(inside: Inside) -> None:
    for _ in range(3):
        outcome, took, _ = inside.ask()
        assert outcome == "ok"
        assert took < 0.5, "a loopback answer; three times what a busy machine needs"
    pinged = inside.ping(20)
    assert "20 received, 0% packet loss" in pinged
    assert "DUP!" not in pinged


def test_every_fault_has_an_effect_that_is_looked_at():
    assert set(EFFECTS) == faults_of_a_world()
