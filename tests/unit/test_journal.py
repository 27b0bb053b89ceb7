"""The journal: what is read is what was written, whatever became of the file since."""

import hashlib
import json
import os
import resource
import socket
import threading
import zlib
from pathlib import Path

import pytest

from harness.agent.effects import Processes, Snapshot, Stopped, encode
from harness.record import journal
from harness.record.directory import RunDirectory
from harness.record.journal import Held, Journal, Step, chain_in, encoded, is_held, read, salvaged
from harness.record.plan import Plan, PlannedEffect
from harness.run.recover import open_in, recover_run

API = Processes("api", pid=1 << 22, start=7)
BEFORE = Snapshot("signals", {"stopped": ""})


def plan(substrate="attached"):
    effects = tuple(
        PlannedEffect(id, id[0], "process.pause", "api", API, Stopped(), False, 1.0, 2.0, "signals",
                      "")
        for id in ("f/api", "g/api")
    )  # fmt: skip
    return Plan("r", "n", "", 1, "", "", substrate, effects, (), (), None, 0.0, 9.0, 1.0, 60.0)


def life(append):
    """Two effects that overlap, one after the other taken back; a third of the lines are looks."""
    receipt = {"receipt": "f/api#1", "resource": encode(API), "snapshot": encode(BEFORE)}
    append("run.started", "", who="somebody", note="é\u2028\r")
    append("receipt", "f/api", **receipt)
    for effect in ("f/api", "g/api"):
        append("injecting", effect, generation=1)
        append("injected", effect)
        append("look", effect, seen=[1.5, None])
    for effect in ("g/api", "f/api"):
        append("reverting", effect)
        append("gone", effect)
    append("run.ended")


@pytest.fixture
def written(tmp_path):
    path = tmp_path / "journal.jsonl"
    book = Journal(path)
    life(book.append)
    book.close()
    return path


def test_what_is_read_is_what_was_written(written):
    steps = read(written)
    assert [step.number for step in steps] == list(range(len(steps)))
    assert steps[0].data["note"] == "é\u2028\r"
    assert encoded(steps) == written.read_bytes()
    assert not chain_in(written.read_bytes()).rest


def test_a_line_has_this_form():
    body = '{"n":3,"at":5,"step":"abort","effect":"f/api","where":"/here"}'
    total = hashlib.sha256(body.encode()).hexdigest()
    line = f'{{"sha":"{total}",{body[1:]}\n'.encode()
    assert encoded([Step(3, 5, "abort", "f/api", {"where": Path("/here")})]) == line


def test_each_line_can_be_read_by_itself(written):
    for line in written.read_text().splitlines():
        assert len(json.loads(line)["sha"]) == 64


def test_a_changed_byte_shows_wherever_it_is(written):
    whole = written.read_bytes()
    count = whole.count(b"\n")
    for at in range(len(whole)):
        changed = whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :]
        assert len(chain_in(changed).steps) <= whole[:at].count(b"\n") < count


@pytest.mark.parametrize("older", [False, True])
def test_a_byte_put_in_shows_wherever_it_is(written, older):
    whole = of_before(read(written)) if older else written.read_bytes()
    for at in range(len(whole)):
        more = whole[:at] + b" " + whole[at:]
        assert len(chain_in(more).steps) <= whole[:at].count(b"\n")


def test_a_line_taken_out_or_put_in_shows(written):
    lines = written.read_bytes().splitlines(keepends=True)
    for at in range(len(lines) - 1):
        assert chain_in(b"".join(lines[:at] + lines[at + 1 :])).damaged
        assert len(chain_in(b"".join([*lines[:at], lines[at], *lines[at:]])).steps) == at + 1


def may_be_in_force(steps):
    """Told independently of recover: line by line."""
    on = set()
    for step in steps:
        if step.step == "injecting":
            on.add(step.effect)
        elif step.step == "gone":
            on.discard(step.effect)
    return on


def test_cut_at_every_byte_nothing_is_forgotten_and_nothing_invented(written):
    whole, steps = written.read_bytes(), read(written)
    for cut in range(len(whole) + 1):
        chain = chain_in(whole[:cut])
        assert not chain.damaged
        assert chain.steps == steps[: whole[:cut].count(b"\n")]
        found = open_in(salvaged(chain), plan())
        assert {o.effect for o in found} == may_be_in_force(chain.steps)
        assert all(o.snapshot == BEFORE and o.receipt == "f/api#1" for o in found)


def test_writing_goes_on_behind_a_torn_line(written):
    whole = written.read_bytes()
    for cut in range(len(whole) - 200, len(whole) + 1):
        written.write_bytes(whole[:cut])
        book = Journal(written)
        book.append("recovered", "f/api")
        book.close()
        steps = read(written)
        assert steps[-1].step == "recovered"
        assert len(steps) == whole[:cut].count(b"\n") + 1


def test_damage_in_the_middle_is_evidence_and_what_follows_is_taken_back(written):
    lines = written.read_bytes().splitlines(keepends=True)[:-5]
    lines[3] = lines[3].replace(b"injected", b"INJECTED")
    for end in (b"", b'{"sha":"torn'):
        damaged = b"".join(lines) + end
        written.write_bytes(damaged)
        chain = chain_in(damaged)
        assert chain.damaged
        assert len(chain.steps) == 3
        assert {o.effect for o in open_in(salvaged(chain), plan())} == {"f/api", "g/api"}
        book = Journal(written)
        for effect in ("f/api", "g/api"):
            book.append("recovered", effect)
        book.close()
        assert written.read_bytes().startswith(damaged)
        assert not open_in(salvaged(chain_in(written.read_bytes())), plan())


@pytest.mark.parametrize("older", [False, True])
def test_what_is_salvaged_is_what_was_written(written, older):
    steps = read(written)
    whole = of_before(steps) if older else written.read_bytes()
    chain = chain_in(whole.replace(b"somebody", b"SOMEBODY") + whole.splitlines()[-1])
    assert not chain.steps
    assert salvaged(chain)[1:] == steps[1:]
    assert salvaged(chain)[0].data["who"] == "SOMEBODY"


def test_a_step_is_about_nothing_unless_it_says_so(tmp_path):
    book = Journal(tmp_path / "journal.jsonl")
    assert book.append("run.ended") == Step(0, read(tmp_path / "journal.jsonl")[0].at, "run.ended")
    book.close()


def test_lines_that_make_no_sense_are_left_behind_and_not_clean(tmp_path):
    directory = RunDirectory(tmp_path)
    directory.write_plan(plan())
    line = b'{"sha":"?","n":0,"at":0,"step":"injecting","effect":"nobody/knows"}\n'
    directory.journal.write_bytes(line)
    assert recover_run(directory, alive=False).left


# ---------------------------------------------------------------- older journals


def of_before(steps):
    """As journals were written before there were hashes."""
    lines, chain = [], 0
    for s in steps:
        body = json.dumps(
            {"n": s.number, "at": s.at, "step": s.step, "effect": s.effect, **s.data},
            separators=(",", ":"),
        )
        chain = zlib.crc32(body.encode(), chain)
        lines.append(f'{{"crc":"{chain:08x}",{body[1:]}\n'.encode())
    return b"".join(lines)


def test_a_journal_of_before_is_read_and_written_on(written):
    steps = read(written)
    written.write_bytes(of_before(steps))
    assert read(written) == steps
    assert chain_in(written.read_bytes()).old == len(steps)
    book = Journal(written)
    book.append("recovered", "f/api")
    book.append("recovered", "g/api")
    book.close()
    chain = chain_in(written.read_bytes())
    assert (len(chain.steps), chain.old, chain.rest) == (len(steps) + 2, len(steps), b"")
    changed = written.read_bytes().replace(b"somebody", b"SOMEBODY")
    assert not chain_in(changed).steps


def test_no_line_of_before_stands_behind_a_new_one(written):
    steps = read(written)
    forged = of_before([Step(len(steps), 0, "gone", "f/api")])
    assert chain_in(written.read_bytes() + forged).damaged


# ---------------------------------------------------------------- one writer, full disks


def test_one_writer(written):
    assert not is_held(written)
    assert not is_held(written.with_name("none"))
    book = Journal(written)
    assert is_held(written)
    open_files = len(list(Path("/proc/self/fd").iterdir()))
    with pytest.raises(Held) as held:
        Journal(written)
    assert str(held.value) == f"{written} is being written by another process"
    assert is_held(written)
    assert len(list(Path("/proc/self/fd").iterdir())) == open_files
    book.close()
    assert not is_held(written)


def test_a_line_that_could_not_be_written_is_not_there(written):
    """The kernel refuses a longer file, as a full disk does: in the middle of the line."""
    assert refused_lines(written) == 2
    assert read(written)[-1].effect == "last/good"
    assert not chain_in(written.read_bytes()).rest


@pytest.mark.parametrize("end", [b"", b'{"sha":"torn'])
def test_nor_behind_damage(written, end):
    damaged = written.read_bytes().replace(b"injected", b"INJECTED") + end
    written.write_bytes(damaged)
    assert refused_lines(written) == 2
    kept = damaged + b"\n" * bool(end)
    assert written.read_bytes().startswith(kept)
    assert written.read_bytes()[len(kept) :].count(b"\n") == 1


def refused_lines(path):
    """One line is written in a process of its own, then two that the disk has no room for."""
    child = os.fork()
    if child == 0:
        import signal

        book = Journal(path)
        book.append("injecting", "last/good")
        size = path.stat().st_size + 20
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))
        refused = 0
        for _ in range(2):
            try:
                book.append("injecting", "f/api")
            except OSError:
                refused += 1
        os._exit(refused)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def test_a_line_is_on_disk_before_append_returns(written, monkeypatch):
    synced = []
    monkeypatch.setattr(os, "fsync", lambda fd: synced.append(os.fstat(fd).st_size))
    book = Journal(written)
    made = book.append("receipt", "f/api")
    book.close()
    assert synced == [written.stat().st_size]
    assert journal.read(written)[-1] == made


def test_whoever_listens_is_told_of_each_line_once_it_is_on_disk(written, monkeypatch):
    heard = []

    def listen():
        for _ in range(2):
            line = server.accept()[0]
            heard.append((line.recv(100).decode(), read(written)[-1].step))
            line.send(b"!")
            line.close()

    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as server:
        server.bind(str(written.with_name("steps")))
        server.listen()
        monkeypatch.setenv("HARNESS_STEPS", server.getsockname())
        listener = threading.Thread(target=listen)
        listener.start()
        book = Journal(written)
        book.append("injecting", "f/api")
        book.append("run.ended")
        book.close()
        listener.join()
    assert heard == [("injecting f/api", "injecting"), ("run.ended", "run.ended")]


def test_secrets_are_not_written(tmp_path):
    path = tmp_path / "journal.jsonl"
    book = Journal(path, (("TOKEN", "hunter2"),))
    book.append("abort", reason="no hunter2")
    book.close()
    assert b"hunter2" not in path.read_bytes()
    assert path.stat().st_mode & 0o777 == 0o600
