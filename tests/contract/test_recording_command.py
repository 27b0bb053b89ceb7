"""`harness recording`: every format read back by somebody else's reader, and every choice."""

import csv
import io
import json
import math

import numpy as np
import pytest
from click.testing import CliRunner
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sample_runs import make_run

from harness.cli.recording import recording
from harness.errors import UsageError
from harness.load.hdr import counted, encoded
from harness.load.reading import read
from harness.load.recording import Flag


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """200/s for 38 s, every tenth request during the fault a timeout."""
    return make_run(tmp_path_factory.mktemp("runs") / "run-1", failing=10)


def told(run, *args):
    result = CliRunner().invoke(recording, [str(run.path), *args], standalone_mode=False)
    if result.exception:
        raise result.exception
    return result.stdout_bytes


def table(run, *args):
    return list(csv.DictReader(io.StringIO(told(run, "--output", "csv", *args).decode())))


def judged(run):
    rows = read(run.path).rows
    return rows[rows["flags"] & (Flag.JOURNEY | Flag.UNJUDGED) == 0]


def test_every_judged_request_is_there(run):
    lines, rows = table(run), judged(run)
    assert len(lines) == len(rows) > 7000
    due = [float(line["due_s"]) for line in lines]
    assert due == sorted(due)
    assert float(lines[0]["due_s"]) == pytest.approx(-5.0, abs=0.1)
    took = (rows["ended"] - rows["intended"]) / 1e6
    assert [float(line["latency_ms"]) for line in lines] == pytest.approx(took.tolist(), abs=1e-5)


def test_text_is_for_people(run):
    lines = told(run).decode().splitlines()
    assert lines[0].split() == ["due", "latency", "outcome", "status", "bytes", "name"]
    assert len(lines) == len(judged(run)) + 1


def test_choices(run):
    everything = table(run)
    failed = table(run, "--outcome", "failed")
    assert failed == [line for line in everything if line["outcome"] != "ok"]
    assert table(run, "--outcome", "timeout") == failed
    during = table(run, "--outcome", "timeout", "--window", "during slow-db")
    assert during == failed
    baseline = table(run, "--window", "baseline")
    assert all(0 <= float(line["due_s"]) < 8 for line in baseline)
    name = everything[0]["name"]
    assert table(run, "--name", name) == [line for line in everything if line["name"] == name]


def test_the_slowest_come_slowest_first(run):
    slowest = [float(line["latency_ms"]) for line in table(run, "--slowest", "7")]
    assert slowest == sorted((float(line["latency_ms"]) for line in table(run)), reverse=True)[:7]


@pytest.mark.parametrize(
    ("args", "says"),
    [
        (["--name", "brows"], "no request is called 'brows'"),
        (["--window", "during nothing"], "there is no window 'during nothing'"),
        (["--output", "cvs"], "there is no format 'cvs'"),
        (["--output", "csv="], "the path is empty"),
        (["--output", "csv=/no/such/directory/x.csv"], "there is no directory"),
    ],
)
def test_wrong_choices_say_so(run, args, says):
    with pytest.raises(UsageError, match=says) as raised:
        told(run, *args)
    assert raised.value.hint or "path" in says or "directory" in says


def test_files_are_written_whole(run, tmp_path):
    told(run, "--output", f"csv={tmp_path / 'a.csv'}", "--output", f"vegeta={tmp_path / 'b.json'}")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.csv", "b.json"]
    assert (tmp_path / "a.csv").read_bytes() == told(run, "--output", "csv")


# ---------------------------------------------------------------- read by others


def test_parquet(run, tmp_path):
    parquet = pytest.importorskip("pyarrow.parquet", reason="pyarrow is not installed")
    told(run, "--output", f"parquet={tmp_path / 'x.parquet'}")
    found, rows = parquet.read_table(tmp_path / "x.parquet"), judged(run)
    assert found.num_rows == len(rows)
    assert found["latency_ns"].to_pylist() == (rows["ended"] - rows["intended"]).tolist()
    assert found["outcome"].to_pylist().count("timeout") == len(table(run, "--outcome", "timeout"))
    epoch = run.facts().epoch
    assert found["due"][0].value == int(rows["intended"][0]) - epoch.mono_ns + epoch.wall_ns
    assert str(found.schema.field("due").type) == "timestamp[ns, tz=UTC]"


def test_vegeta(run):
    lines = [json.loads(line) for line in told(run, "--output", "vegeta").splitlines()]
    rows = judged(run)
    assert [line["latency"] for line in lines] == (rows["ended"] - rows["intended"]).tolist()
    assert all(line["timestamp"].startswith("2023-11-14T22:13") for line in lines[:100])
    failed = [line for line in lines if line["error"]]
    assert {line["code"] for line in failed} == {0}
    assert {line["code"] for line in lines if not line["error"]} == {200}
    assert len(failed) == len(table(run, "--outcome", "failed"))


def test_hlog(run, tmp_path):
    log = pytest.importorskip("hdrh.log", reason="hdrhistogram is not installed")
    from hdrh.histogram import HdrHistogram

    path = tmp_path / "x.hlog"
    told(run, "--output", f"hlog={path}")
    rows = judged(run)
    both = {}
    for tag in (None, "failed"):
        total = HdrHistogram(1, 3_600_000_000_000, 3)
        reader = log.HistogramLogReader(str(path), total)
        while (histogram := reader.get_next_interval_histogram()) is not None:
            if histogram.tag == tag:
                total.add(histogram)
        reader.close()
        both[tag] = total
    good = rows[rows["outcome"] == 0]
    took = np.sort(good["ended"] - good["intended"])
    assert both[None].total_count == len(good)
    assert both["failed"].total_count == len(rows) - len(good) > 0
    for percent in (50, 90, 99):
        truth = took[math.ceil(len(took) * percent / 100) - 1]
        assert both[None].get_value_at_percentile(percent) == pytest.approx(truth, rel=1e-3)


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)  # on a busy machine
@given(st.lists(st.integers(0, 10**13), min_size=1, max_size=300))
def test_histograms_are_read_as_they_were_written(values):
    hdrh = pytest.importorskip("hdrh.histogram", reason="hdrhistogram is not installed")
    found = hdrh.HdrHistogram.decode(encoded(counted(np.array(values))))
    truth = hdrh.HdrHistogram(1, 10**14, 3)
    for value in values:
        truth.record_value(value)
    assert found.total_count == len(values)
    for percent in (0, 25, 50, 99, 100):
        assert found.get_value_at_percentile(percent) == truth.get_value_at_percentile(percent)
