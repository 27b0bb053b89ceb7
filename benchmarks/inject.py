"""What an inject and a revert take, and what delay comes of the delay that was asked for.

Through the real agent in a real local world: each repetition makes a delay, looks at it as the
witness does, and takes it back. References of the same run stand beside it: a call to the agent
that changes nothing, and the bridge's own round trip. Judges nothing.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from harness.agent.effects import InForce
from harness.capabilities import Hands, Links
from harness.experiment.system_file import load_system
from harness.faults.fault import Held, Look
from harness.faults.network.latency import Latency
from harness.substrates.local.substrate import LocalSubstrate

DELAYS = ("1ms", "10ms", "50ms", "200ms")
REPETITIONS = 20
LOOK_S = 0.3
LEASE_S = 120.0
SYSTEM = f"""\
apiVersion: harness/v1
kind: System
metadata: {{name: inject}}
spec:
  services:
    a: {{run: "{sys.executable} -m http.server $(port)", port: 8000, ready: tcp}}
    b: {{run: "{sys.executable} -m http.server $(port)", port: 8000, ready: tcp, calls: [a]}}
"""


@dataclass
class Timings:
    """Milliseconds of every repetition; witnessed by the delay that was asked for."""

    call: list[float] = field(default_factory=list)
    round_trip: list[float] = field(default_factory=list)
    inject: list[float] = field(default_factory=list)
    revert: list[float] = field(default_factory=list)
    witnessed: dict[str, list[float]] = field(default_factory=dict)


def main() -> int:
    with tempfile.TemporaryDirectory() as there:
        path = Path(there, "system.yaml")
        path.write_text(SYSTEM)
        system, substrate = load_system(path), LocalSubstrate()
        if why := substrate.refuse(system):
            print(f"not measured: {why}")
            return 1
        topology = substrate.topology(system)
        (link,) = substrate.resources(Links, topology.named("a"), ())
        with substrate.open(system, Path(there), LEASE_S) as world:
            timings = measured(world.hands, link)
    show(timings)
    return 0


def measured(hands: Hands, link: object) -> Timings:
    timings, generation = Timings(), 0
    for delay in DELAYS:
        fault, seen = Latency(delay=delay), timings.witnessed.setdefault(delay, [])
        for _ in range(REPETITIONS):
            timings.call.append(took_ms(hands.renew))
            seen.append(once(hands, link, fault, generation, timings))
            generation += 2
        print(f"{delay}: done", file=sys.stderr)
    return timings


def once(hands: Hands, link: object, fault: Latency, generation: int, timings: Timings) -> float:
    snapshot = hands.snapshot(link)
    before = Look(hands.measure(link, fault.effect(), LOOK_S))
    timings.round_trip.append(1e3 * (median(before.seen.forth) + median(before.seen.back)))

    def make(number: int, *effects: InForce) -> Callable[[], None]:
        return lambda: hands.make(link, "benchmark", number, snapshot, effects)

    since = time.monotonic()
    timings.inject.append(took_ms(make(generation + 1, InForce("one", fault.effect(), since))))
    look = Look(hands.measure(link, fault.effect(), LOOK_S))
    timings.revert.append(took_ms(make(generation + 2)))
    (line,) = fault.judge(Held(link, before, (look,), since))
    return 1e3 * line.value


def median(flow) -> float:
    return statistics.median(flow.delays)


def took_ms(do: Callable[[], object]) -> float:
    begun = time.perf_counter()
    do()
    return 1e3 * (time.perf_counter() - begun)


def show(timings: Timings) -> None:
    print(f"{'':24}{'p50':>9}{'p99':>11}     x reference")
    reference = statistics.median(timings.call)
    row("agent, empty call", timings.call, reference)
    row("inject network.latency", timings.inject, reference)
    row("revert network.latency", timings.revert, reference)
    row("bridge, round trip", timings.round_trip, statistics.median(timings.round_trip))
    print(f"\n{'asked':24}{'p50':>9}{'p99':>11}     x asked     furthest off")
    for asked, seen in timings.witnessed.items():
        value = float(asked.removesuffix("ms"))
        off = max(abs(each - value) for each in seen)
        row(asked, seen, value, f"{off:11.2f} ms")


def row(name: str, values: list[float], reference: float, more: str = "") -> None:
    middle, last = statistics.median(values), sorted(values)[-1 - len(values) // 100]
    print(f"{name:24}{middle:6.2f} ms{last:8.2f} ms{middle / reference:12.3f}{more}")


if __name__ == "__main__":
    sys.exit(main())
