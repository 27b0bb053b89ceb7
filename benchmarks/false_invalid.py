"""How often a generator in good health would call a run INVALID because of its own weakness.

`python benchmarks/false_invalid.py RUN... [--runs 1000]`: takes real runs of the local world (the
generator shares the machine's cores with the system), cuts what the generator did into seconds
(lateness of each arrival, stalls, processor), and makes runs of 30 s out of seconds drawn at
random. Half a percent of these at most may be INVALID; exits with 1 otherwise.
"""

import argparse
import dataclasses
import sys
from pathlib import Path

import numpy as np

from harness.clock import SECOND
from harness.load.recording import Flag
from harness.load.self_check import limits_for, states_of, weaknesses
from harness.load.sent import Sent
from harness.load.stored import Held
from harness.measure.evidence import gather
from harness.record.directory import RunDirectory

LENGTH_S, MOST = 30, 0.005
LATENCY_S, TIMEOUT_S = 0.1, 1.0  # as of `p99 < 100ms`, the strictest line of the demo


def seconds_of(directory):
    """Each whole second of a run after its warm-up: rows of arrivals, and what workers said."""
    evidence = gather(RunDirectory(directory))
    since = evidence.observation.epoch.mono_ns
    rows = np.concatenate([r[r["flags"] & Flag.JOURNEY != 0] for r in
                           evidence.observation.store.blocks()])  # fmt: skip
    states = list(states_of(directory, since, 2**62))
    for second in range(int((rows["intended"].max() - since) // SECOND)):
        begin = since + second * SECOND
        inside = (rows["intended"] >= begin) & (rows["intended"] < begin + SECOND)
        said = [(w, s) for w, s in states if begin <= s.at < begin + SECOND]
        yield begin, rows[inside], said


def drawn(chance, seconds):
    """A run of seconds drawn at random, moved to where they stand in it."""
    rows, states = [], []
    for place, which in enumerate(chance.integers(0, len(seconds), LENGTH_S)):
        begin, there, said = seconds[which]
        moved = there.copy()
        for field in ("intended", "started", "ended"):
            moved[field] += place * SECOND - begin
        rows.append(moved)
        states += [(w, dataclasses.replace(s, at=s.at + place * SECOND - begin)) for w, s in said]
    return Sent(Held(np.concatenate(rows)), 0), sorted(states, key=lambda pair: pair[0])


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("directories", nargs="+", type=Path, metavar="RUN")
    parser.add_argument("--runs", type=int, default=1000)
    given = parser.parse_args()
    seconds = [second for path in given.directories for second in seconds_of(path)]
    limits = limits_for([LATENCY_S], TIMEOUT_S)
    found = []
    for seed in range(given.runs):
        sent, states = drawn(np.random.default_rng(seed), seconds)
        found += weaknesses(sent, states, limits)[:1]
    share = len(found) / given.runs
    print(f"{len(seconds)} real seconds, {given.runs} runs of {LENGTH_S} s made of them: "
          f"{len(found)} INVALID ({share:.2%}, {MOST:.1%} allowed)")  # fmt: skip
    for reason in sorted(set(found))[:5]:
        print(f"  {reason}")
    sys.exit(share > MOST)


if __name__ == "__main__":
    main()
