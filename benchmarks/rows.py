"""How much memory and time judging a large recording takes: `python benchmarks/rows.py [ROWS]`.

Makes a run of 10^8 synthetic requests (4 GB, removed afterwards) with a slow database and a freeze
in it, judges it and makes its report in a process of its own, and prints that one's largest
resident set. Exits with 1 beyond 300 MB.
"""

import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parent.parent / "tests" / "unit"))

import made_runs

from harness.load.recording import HEADER, MAGIC, ROW, Flag, Outcome
from harness.record import journal
from harness.record.directory import Facts, RunDirectory

LINES = (
    "availability >= 99.9% baseline", "availability >= 99% during slow-db",
    "p99 < 250ms during slow-db", "p99.9(pay) < 2s", "recovery < 5s after slow-db",
    "availability >= 99.9% baseline at 95%",
)  # fmt: skip
SECONDS, WORKERS, CHUNK = 600.0, 2, 1 << 18
MOST_MB = 300


def main():
    rows = int(float(sys.argv[1])) if len(sys.argv) > 1 else 10**8
    with tempfile.TemporaryDirectory(prefix="rows-") as name:
        directory = Path(name)
        begun = time.monotonic()
        write(directory, rows)
        print(f"{rows:,} rows, {rows * ROW.itemsize / 1e9:.1f} GB, "
              f"written in {time.monotonic() - begun:.0f} s")  # fmt: skip
        told = subprocess.run(
            [sys.executable, __file__, "judge", name], capture_output=True, text=True, check=True
        )
    found = json.loads(told.stdout)
    print(f"verdict {found['verdict']}: judged and reported in {found['took_s']:.0f} s, "
          f"{found['memory_mb']:.0f} MB at most ({found['before_mb']:.0f} MB before)")  # fmt: skip
    for says in found["says"]:
        print(f"  {says}")
    sys.exit(found["memory_mb"] > MOST_MB)


def judge(directory):
    """In the child: what memory it takes is its own."""
    from harness.report.record import record_of

    before, begun = resident_mb(), time.monotonic()
    record = record_of(RunDirectory(directory))
    print(json.dumps({
        "verdict": record.verdict, "took_s": time.monotonic() - begun,
        "memory_mb": resident_mb(), "before_mb": before,
        "says": [f"{o.text}: {o.verdict}: {o.says}" for o in record.objectives],
    }))  # fmt: skip


def resident_mb():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


# ---------------------------------------------------------------- the run


def write(path, rows):
    effect = made_runs.effect(at=200.0, lasts=200.0)
    directory = RunDirectory(path)
    directory.write_plan(made_runs.plan(LINES, [effect], duration=SECONDS))
    directory.write_facts(Facts(made_runs.EPOCH, "", {}, {}))
    told = made_runs.steps(
        *made_runs.life(begun=200.0, gone=400.0), *made_runs.ends(SECONDS + 1, due=rows, sent=rows)
    )
    chain = 0
    with directory.journal.open("wb") as book:
        for step in told:
            line, chain = journal._line(step, chain)  # noqa: SLF001  written at made-up times
            book.write(line)
    for worker in range(WORKERS):
        (path / f"recording.{worker}.names").write_text("browse\npay\n")
        record(path / f"recording.{worker}.bin", worker, rows)


def record(path, worker, rows):
    """Rows in the order of their ending, within each chunk, as a worker writes them."""
    header = np.zeros(1, HEADER)
    header["magic"], header["row"], header["worker"] = MAGIC, ROW.itemsize, worker
    header["epoch"] = made_runs.EPOCH.mono_ns
    draw = np.random.default_rng(worker)
    with path.open("wb") as file:
        file.write(header.tobytes())
        for first in range(worker, rows, CHUNK * WORKERS):
            index = np.arange(first, min(first + CHUNK * WORKERS, rows), WORKERS)
            file.write(chunk(index, SECONDS * index / rows, draw, worker).tobytes())


def chunk(index, due, draw, worker):
    took = draw.lognormal(-5.3, 0.4, len(due))
    took += np.where((due >= 200) & (due < 400), 0.1, 0)
    took += np.where((due >= 300) & (due < 302), 302 - due, 0)
    bad = draw.random(len(due)) < np.where((due >= 400) & (due < 402), 0.5, 1e-4)
    made = np.zeros(len(due), ROW)
    made["intended"] = made_runs.ns(due)
    made["started"] = made_runs.ns(due + draw.exponential(1e-4, len(due)))
    made["ended"] = made_runs.ns(due + took)
    made["outcome"] = np.where(bad, Outcome.TIMEOUT, Outcome.OK)
    made["flags"], made["worker"] = Flag.FIRST, worker
    made["name"], made["arrival"] = draw.integers(0, 2, len(due)), index
    return made[np.argsort(made["ended"])]


if __name__ == "__main__":
    if sys.argv[1:2] == ["judge"]:
        judge(Path(sys.argv[2]))
    else:
        main()
