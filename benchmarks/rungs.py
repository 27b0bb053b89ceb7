"""What delay comes of the delay that was asked for, on each rung of the ladder that works here.

In the small world of the tests: one delay after the other is made on a host, looked at as the
witness does, and taken back; half-way stand the seconds that a change takes. Judges nothing. As
root it measures every rung, otherwise the wire; kernel netem under user-mode Linux:
`python benchmarks/rungs.py netem`.
"""

from __future__ import annotations

import statistics
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests/local"))

from rungs import ALL, Tried
from wired import C, profile

DELAYS_MS = (1, 10, 50, 200)
TURNS, LOOK_S = 3, 0.3


def main() -> int:
    names = sys.argv[1:] or [name for name in ALL if name != "netem"]
    print("rung       asked ms  witnessed ms  over them   made ms")
    for name in names:
        rung = ALL[name]
        rung.run(lambda world, name=name, rung=rung: measure(name, Tried(world, rung)))
    return 0


def measure(name: str, tried: Tried) -> None:
    for asked in DELAYS_MS:
        seen, made = [], []
        for _ in range(TURNS):
            begin = time.monotonic()
            late = profile(delay=C(asked / 1000))
            tried.make(late)
            made.append((time.monotonic() - begin) * 1000)
            flow = tried.mechanism.measure(tried.link, late.effect, LOOK_S).forth
            seen += [delay * 1000 for delay in flow.delays]
            tried.take_back()
        middle, took = statistics.median(seen), statistics.median(made)
        print(f"{name:10} {asked:8} {middle:13.2f} {middle / asked:10.2f}x {took:9.1f}")


if __name__ == "__main__":
    sys.exit(main())
