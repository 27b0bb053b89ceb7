"""What was written is read back: torn, by several workers, and while it grows."""

import dataclasses

import numpy as np
import pytest

from harness.load.reading import Tail, read
from harness.load.recorder import Recorder
from harness.load.recording import Flag, Outcome
from harness.load.status import Event, Status, StatusFile, parse

STATE = Status(
    at=1, due=2, sent=2, dropped=0, done=1, in_flight=1, oldest_due=5, overdue=0, late_p99_ms=0.1,
    cpu=0.2, gc_ms=0.0,
)  # fmt: skip


def add(recorder, name, intended, outcome=Outcome.OK, **more):
    recorder.add(
        name, intended, intended + 1, intended + 5, outcome=outcome, flags=Flag.FIRST,
        arrival=intended, **more,
    )  # fmt: skip


def names_of(recording):
    return [recording.names[number] for number in recording.rows["name"]]


def test_rows_of_all_workers_are_sorted_and_their_names_are_one(tmp_path):
    first, second = Recorder(tmp_path, 0), Recorder(tmp_path, 1)
    add(first, "browse", 10)
    add(first, "pay", 30, Outcome.STATUS, status=503, size=7)
    add(second, "pay", 20)
    add(second, "browse", 40)
    first.close(), second.close()
    recording = read(tmp_path)
    assert recording.rows["intended"].tolist() == [10, 20, 30, 40]
    assert names_of(recording) == ["browse", "pay", "pay", "browse"]
    assert recording.rows["worker"].tolist() == [0, 1, 0, 1]
    assert recording.rows[2]["status"] == 503
    assert recording.rows[2]["bytes"] == 7
    assert Outcome(recording.rows[2]["outcome"]) is Outcome.STATUS


def test_a_torn_row_is_not_there(tmp_path):
    recorder = Recorder(tmp_path, 0)
    add(recorder, "browse", 10)
    add(recorder, "browse", 20)
    recorder.close()
    path = tmp_path / "recording.0.bin"
    path.write_bytes(path.read_bytes()[:-7])
    assert read(tmp_path).rows["intended"].tolist() == [10]


@pytest.mark.parametrize("content", [b"", b"HXREC01\n", b"x" * 10])
def test_a_recording_that_only_began_is_empty(tmp_path, content):
    (tmp_path / "recording.0.bin").write_bytes(content)
    assert len(read(tmp_path).rows) == 0
    assert len(Tail(tmp_path).rows()) == 0


def test_what_is_no_recording_is_refused(tmp_path):
    (tmp_path / "recording.0.bin").write_bytes(b"x" * 200)
    with pytest.raises(ValueError, match="no recording"):
        read(tmp_path)


def test_without_recordings_there_are_no_rows(tmp_path):
    assert len(read(tmp_path).rows) == 0


def test_the_tail_gives_each_row_once(tmp_path):
    tail, recorder = Tail(tmp_path), Recorder(tmp_path, 0)
    assert len(tail.rows()) == 0
    seen = []
    for turn in range(5):
        add(recorder, f"name {turn % 3}", turn)
        add(recorder, "same", 100 + turn)
        recorder.flush()
        rows = tail.rows()
        seen += [(tail.names[row["name"]], int(row["intended"])) for row in rows]
    assert len(seen) == 10
    assert ("name 2", 2) in seen
    assert ("same", 104) in seen
    recorder.close()


def test_names_without_end_share_one_at_last(tmp_path):
    recorder = Recorder(tmp_path, 0)
    for number in range(60_010):
        add(recorder, f"/items/{number}", number)
    add(recorder, "two\nlines", 0)
    recorder.close()
    recording = read(tmp_path)
    assert len(recording.names) == 60_001
    assert np.sum(recording.rows["name"] == 60_000) == 11


def test_states_and_events(tmp_path):
    tail, file = Tail(tmp_path), StatusFile(tmp_path, 3)
    file.event("ready", "wait_time is ignored")
    file.state(STATE)
    file.state(dataclasses.replace(STATE, due=9))
    with (tmp_path / "load.3.jsonl").open("ab") as torn:
        torn.write(b'{"at": 17, "du')
    assert tail.states()[3].due == 9
    [(worker, event)] = tail.events()
    assert (worker, event.event, event.says) == (3, "ready", ("wait_time is ignored",))


@pytest.mark.parametrize("line", [b"", b"{", b"[]", b"{}", b'{"at": 1}', b"\xff"])
def test_lines_that_say_nothing(line):
    assert parse(line) is None


def test_event_round_trip():
    assert parse(b'{"at":1,"event":"ended","says":[]}') == Event(1, "ended")
