"""Recover called at the wrong time, by the wrong person, for what is somebody else's by now."""

import os
import signal
import subprocess
import sys
from dataclasses import replace

import psutil
import pytest
from attached_place import PAUSE, Here
from fire import stopped, wait

from harness.agent.effects import Snapshot, encode
from harness.cli.main import cli, guarded
from harness.record.directory import RunDirectory
from harness.record.journal import Journal, chain_of, read
from harness.run.recover import open_in, still_open
from harness.substrates.attached.identity import start_of


@pytest.fixture
def here(tmp_path):
    place = Here(tmp_path)
    yield place
    place.close()


def test_while_its_owner_is_alive(here):
    """Refused, even for somebody who has never heard of that run."""
    with here.running("run", here.run(PAUSE)) as shot:
        shot.until("injected f")
        run = here.run_directory
        for environment in ({}, {"XDG_STATE_HOME": str(here.path / "another")}):
            done = here.harness("recover", str(run), **environment)
            assert done.returncode == 2, done.stdout + done.stderr
            assert "is running" in done.stderr
        assert here.harness("recover", "--all").returncode == 0
        assert stopped(here.target)
        assert not any(told.startswith("recovered") for told in here.told)
        shot.process.send_signal(signal.SIGTERM)
        assert shot.ends() == 4
    assert not stopped(here.target)


@pytest.mark.skipif(os.geteuid() != 0, reason="not root: becomes another user")
def test_as_another_user(here, capfd):
    here.harness("run", here.run(PAUSE.replace("60s", "1s")))
    run = here.run_directory
    child = os.fork()
    if child == 0:
        os.environ["XDG_STATE_HOME"] = "/tmp/harness-of-nobody"
        os.setgid(65534)
        os.setuid(65534)
        os._exit(guarded(lambda: cli.main(["recover", str(run)], standalone_mode=False)))
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    said = capfd.readouterr().err
    assert status == 2, said
    assert "somebody else's" in said
    assert "internal error" not in said


# ---------------------------------------------------------------- newcomers


def test_a_pid_that_is_somebody_else_by_now(here, tmp_path):
    """The receipt is of a process that has ended; its number is another's, who is stopped."""
    here.harness("run", here.run(PAUSE.replace("60s", "1s")))
    directory = RunDirectory(here.run_directory)
    plan = directory.plan()
    newcomer = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    try:
        newcomer.send_signal(signal.SIGSTOP)
        somebody = psutil.Process(newcomer.pid)
        wait(lambda: stopped(somebody), 5, "stop")
        start = start_of(newcomer.pid)
        for of, goes_on in ((start - 1, False), (start, True)):
            resource = replace(plan.effects[0].resource, pid=newcomer.pid, start=of)
            directory.write_plan(
                replace(plan, effects=(replace(plan.effects[0], resource=resource),))
            )
            directory.journal.unlink()
            fabricate(directory, resource)
            done = here.harness("recover", str(directory.path))
            assert done.returncode == 0, done.stdout + done.stderr
            assert stopped(somebody) == (not goes_on)
            assert not still_open(directory)
    finally:
        newcomer.kill()
        newcomer.wait()


def fabricate(directory, resource):
    book = Journal(directory.journal)
    receipt = {"receipt": "f/api#1", "resource": encode(resource),
               "snapshot": encode(Snapshot("signals", {"stopped": ""}))}  # fmt: skip
    book.append("receipt", "f/api", **receipt)
    book.append("injecting", "f/api")
    book.close()


def test_a_target_that_is_restarted_during_a_fault(here):
    """The fault ends with its process, the run says so, and the newcomer is left alone."""
    with here.running("run", here.run(PAUSE.replace("60s", "4s"))) as shot:
        shot.until("injected f")
        here.server.kill()
        here.server.wait()
        argv = [sys.executable, "-P", str(here.path / "here.py"), str(here.port)]
        newcomer = subprocess.Popen(argv, stdout=subprocess.DEVNULL, start_new_session=True)
        try:
            newcomer.send_signal(signal.SIGSTOP)
            ended = shot.ends()
            assert stopped(psutil.Process(newcomer.pid))
        finally:
            newcomer.kill()
            newcomer.wait()
    assert ended != 5
    assert any(told.startswith(("target_gone f/api", "gone f/api")) for told in here.told)
    assert any(s.step == "trouble" and "api ended" in str(s.data) for s in here.steps)
    assert here.harness("recover", here.run_directory.name).returncode == 0


# ---------------------------------------------------------------- the journal of a real run


def test_a_real_journal_cut_at_every_byte(here, tmp_path):
    with here.running("run", here.run(PAUSE.replace("60s", "2s"))) as shot:
        assert shot.ends() == 0, shot.said
    directory = RunDirectory(here.run_directory)
    whole, plan, steps = directory.journal.read_bytes(), directory.plan(), read(directory.journal)
    expected = [on_after(steps[:n]) for n in range(len(steps) + 1)]
    assert {"f/api"} in expected
    assert expected[-1] == set()
    cut = tmp_path / "cut.jsonl"
    cut.write_bytes(whole)
    with cut.open("r+b") as file:
        for size in range(len(whole), -1, -1):
            file.truncate(size)
            lines = whole.count(b"\n", 0, size)
            found = {o.effect for o in open_in(chain_of(cut).steps, plan)}
            assert found == expected[lines], size


def on_after(steps):
    """Told independently of recover."""
    on = set()
    for step in steps:
        on = on | {step.effect} if step.step == "injecting" else on
        on = on - {step.effect} if step.step == "gone" else on
    return on
