"""What is judged in parts comes to what is judged at once, however the rows lie on disk."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_runs import EPOCH, acted, effect, ends, life, ns, plan, rows, steps

from harness.load.ranks import Ranks
from harness.load.recording import HEADER, MAGIC, ROW, Flag, Outcome
from harness.load.stored import File, Filed, Held
from harness.measure.evidence import Evidence
from harness.measure.observation import Observation
from harness.measure.recovery import WINDOW_S, Level, Span, recover
from harness.measure.summary import load_summary, series, windows_table
from harness.measure.windows import windows_of
from harness.verdict import judge_evidence

LINES = (
    "availability >= 99% during slow-db", "errors(pay) < 5%", "p99 < 250ms", "p50 < 20ms baseline",
    "p90(browse) < 30ms after slow-db", "recovery < 5s after slow-db", "throughput > 150/s",
    "availability(journeys) >= 90%", "p99 < 300ms baseline at 95%", "recovery < 2s after kill",
)  # fmt: skip
EFFECTS = (effect(), effect("kill/api-0", at=21.0, lasts=0.0, event=True))


def noisy(seed, seconds=30, rate=60):
    """Answers out of order, bursts of errors, a freeze, all kinds of rows."""
    draw = np.random.default_rng(seed)
    due = np.sort(draw.uniform(-1, seconds, round(seconds * rate)))
    took = np.round(draw.lognormal(-5, 1.5, len(due)), draw.choice([3, 9]))
    took += np.where((due > 9) & (due < 9 + draw.uniform(0, 4)), 0.4, 0)
    made = rows(due, took, late=0.002)
    burst = (due > (begun := draw.uniform(8, 25))) & (due < begun + draw.uniform(0, 3))
    bad = draw.random(len(due)) < np.where(burst, 0.6, 0.002)
    made["outcome"] = np.where(bad, draw.choice([1, 2, 4, 5], len(due)), Outcome.OK)
    made["name"] = draw.integers(0, 2, len(due))
    made["flags"] = draw.choice([0, Flag.FIRST, Flag.JOURNEY, Flag.UNJUDGED], len(due))
    return made


def filed(path, made, workers=1, block=64):
    """Rows as files, written in the order of their ending as workers do."""
    files = []
    for worker in range(workers):
        mine = made[worker::workers]
        header = np.zeros(1, HEADER)
        header["magic"], header["row"] = MAGIC, ROW.itemsize
        name = path / f"recording.{worker}.bin"
        name.write_bytes(header.tobytes() + mine.tobytes())
        files.append(File(name, len(mine), np.arange(2)))
    return Filed(tuple(files), block)


def story(store):
    """All that is ever told of a run."""
    told = steps(*life(), *acted("kill/api-0", 21.0, 21.5), *ends())
    planned = plan(LINES, EFFECTS)
    seen = Observation(store, ("browse", "pay"), EPOCH, 1.0)
    evidence = Evidence(planned, told, seen, windows_of(planned, told, seen))
    late = [seen.lateness.at(rank) for rank in (1, len(seen.lateness) // 2, len(seen.lateness))]
    return (
        judge_evidence(evidence), windows_table(evidence), load_summary(evidence),
        series(evidence), evidence.windows, late, seen.dropped,
    )  # fmt: skip


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10**6), workers=st.integers(1, 3), block=st.integers(512, 3000))
def test_parts_and_all_at_once_tell_the_same(tmp_path_factory, seed, workers, block):
    made = noisy(seed)
    ended = made[np.argsort(made["ended"], kind="stable")]
    store = filed(tmp_path_factory.mktemp("run"), ended, workers, block)
    assert repr(story(store)) == repr(story(Held(made)))


@settings(max_examples=5, deadline=None)
@given(seed=st.integers(0, 10**6))
def test_so_they_do_in_any_order(tmp_path_factory, seed):
    made = noisy(seed)
    shuffled = made[np.random.default_rng(seed).permutation(len(made))]
    store = filed(tmp_path_factory.mktemp("run"), shuffled, 2, 700)
    assert repr(story(store)) == repr(story(Held(made)))


def test_in_order_is_in_order_and_complete(tmp_path):
    made = noisy(1)
    store = filed(tmp_path, made[np.random.default_rng(1).permutation(len(made))], 3, 600)
    parts = list(store.in_order())
    assert len(parts) > 2
    assert sum(map(len, store.blocks())) == len(store) == len(made)
    together = np.concatenate(parts)["intended"]
    assert together.tolist() == sorted(made["intended"].tolist())


def test_recovery_needs_no_more_than_a_window_at_a_time(tmp_path):
    made = rows(np.arange(12_000) / 200, np.full(12_000, 0.005))
    hit = (made["intended"] >= ns(9)) & (made["intended"] < ns(33.3))
    made["outcome"][hit] = Outcome.REFUSED
    seen = Observation(filed(tmp_path, made, block=1024), ("browse", "pay"), EPOCH)
    found = recover(seen.requests, (Level(np.inf, 0.99),), Span("x", 8.0, 10.0, 60.0))
    assert (found.how, found.window_s) == ("recovered", WINDOW_S)
    assert found.took_s == pytest.approx(23.3, abs=0.006)
    assert found.resolution_s == pytest.approx(0.005)


# ---------------------------------------------------------------- ranks

AWKWARD = st.one_of(
    st.integers(0, 10**12).map(lambda n: n / 1e9), st.sampled_from([0.0, 1e-9, 0.25, 1.0]),
    st.floats(-1, 1e9, allow_nan=False),
)  # fmt: skip


@given(st.lists(AWKWARD, min_size=1, max_size=200), st.integers(0, 5), AWKWARD, st.integers(1, 7))
def test_ranks_are_those_of_sorting(values, infinite, limit, parts):
    pieces = np.array_split(np.array(values), parts)
    ranks, truth = Ranks(lambda: pieces, infinite), sorted(values) + [np.inf] * infinite
    assert [ranks.at(k + 1) for k in range(len(truth))] == truth
    for value in (limit, *values[:5]):
        assert ranks.below(value, strict=True) == sum(v < value for v in truth)
        assert ranks.below(value, strict=False) == sum(v <= value for v in truth)


def test_ranks_of_a_constant():
    ranks = Ranks(lambda: (np.full(10**6, 0.25) for _ in range(3)))
    assert (ranks.at(1), ranks.at(3 * 10**6)) == (0.25, 0.25)
    assert ranks.below(0.25, strict=True) == 0


def test_ranks_of_nothing():
    ranks = Ranks(lambda: [np.empty(0)])
    assert (len(ranks), ranks.below(1.0, strict=True)) == (0, 0)
