"""How a run is ended early: by a person, by the guard, by a disk, by what it stands on."""

import resource
import signal

import pytest
from fire import FAULTS, Place, wait
from worlds import WHY_NOT

pytestmark = pytest.mark.skipif(bool(WHY_NOT), reason=WHY_NOT)

INT, TERM, HUP = signal.SIGINT, signal.SIGTERM, signal.SIGHUP
#: Taking back, a last look, the load's requests in flight, the world's end: 10 s, asserted at 3x.
ENDS_S = 30


@pytest.fixture
def place(tmp_path):
    return Place(tmp_path)


def ended(shot, place):
    assert shot.ends(ENDS_S) == 4, shot.said
    shot.nothing_left()
    assert place.told[-1] == "run.ended"
    assert place.report["verdict"] == "interrupted"
    assert (place.run_directory / "report.html").exists()


def slow_to_start(place):
    place.change("system.yaml", "litter.py", "slow.py")
    place.write("slow.py", "import time; time.sleep(600)")


def test_while_the_world_starts(place):
    slow_to_start(place)
    with place.running("run", str(place.experiment(FAULTS["network"]))) as shot:
        wait(lambda: shot.who("slow.py"), 20, "service")
        shot.process.send_signal(INT)
        ended(shot, place)
    assert not any(told.startswith("inject") for told in place.told)


@pytest.mark.parametrize("number", [INT, TERM, HUP])
def test_during_a_fault(place, number):
    other = FAULTS["pause"].replace("id: f", "id: g")
    timeline = FAULTS["network"] + ", " + other.replace("at: 1s", "at: 1.5s")
    with place.running("run", str(place.experiment(timeline))) as shot:
        shot.until("injected g")
        shot.process.send_signal(number)
        ended(shot, place)
    reverting = [told for told in place.told if told.startswith("reverting")]
    assert reverting == ["reverting g/back", "reverting f/front->back"]
    assert {"gone g/back", "gone f/front->back"} <= set(place.told)
    assert f"received {signal.Signals(number).name}" in place.report["reasons"][0]


def test_during_the_warm_up(place):
    with place.running("run", str(place.experiment(FAULTS["network"]))) as shot:
        shot.until("load.started")
        shot.process.send_signal(INT)
        ended(shot, place)
    assert not any(told.startswith("inject") for told in place.told)


def test_while_it_settles(place):
    short = FAULTS["network"].replace("60s", "1s")
    with place.running("run", str(place.experiment(short, settle="60s"))) as shot:
        shot.until("gone f")
        shot.process.send_signal(INT)
        ended(shot, place)


@pytest.mark.parametrize("kind", ["network", "dependency", "pause"])
def test_twice_skips_no_revert(place, kind):
    with place.running("run", str(place.experiment(FAULTS[kind]))) as shot:
        shot.until("injected f")
        shot.process.send_signal(INT)
        wait(lambda: "abort" in place.told, 5, "abort")
        shot.process.send_signal(INT)
        shot.process.send_signal(TERM)
        ended(shot, place)
    assert any(told.startswith("gone f") for told in place.told)


def test_the_second_time_requests_in_flight_are_not_waited_for(place):
    place.change("server.py", "def do_GET(self):", "def do_GET(self):\n        time.sleep(30)")
    place.change("server.py", "import http.client", "import time, http.client")
    place.change("system.yaml", "ready: /", "ready: tcp")
    file = place.experiment()
    file.write_text(file.read_text().replace("timeout: 1s", "timeout: 50s"))
    with place.running("run", str(file)) as shot:
        shot.until("load.started")
        shot.process.send_signal(INT)
        wait(lambda: "abort" in place.told, 5, "abort")
        shot.process.send_signal(INT)
        ended(shot, place)


# ---------------------------------------------------------------- the guard and the gate


def test_the_guard_takes_faults_back(place):
    file = place.experiment(FAULTS["pause"], more="guard: {abort: errors > 50% for 2s}")
    with place.running("run", str(file)) as shot:
        assert shot.ends() == 1, shot.said
        shot.nothing_left()
    assert "gone f/back" in place.told
    assert "the guard aborted" in place.report["reasons"][0]


def test_a_broken_baseline_injects_nothing(place):
    place.change("server.py", "200, ask()", "500, b''")
    place.change("system.yaml", "ready: /", "ready: tcp")
    file = place.experiment(FAULTS["network"], objectives="availability >= 50% baseline")
    done = place.harness("run", str(file))
    assert done.returncode == 6, done.stdout + done.stderr
    assert "baseline broken" in place.report["reasons"][0]
    assert not any(told.startswith("injecting") for told in place.told)


@pytest.mark.parametrize(
    ("guard", "said"),
    [("guard: {blast_radius: {services: 0}}", "blast radius"),
     ("guard: {max_duration: 5s}", "max_duration")],
)  # fmt: skip
def test_what_the_plan_refuses(place, guard, said):
    file = place.experiment(FAULTS["network"], more=guard)
    for command in ("run", "plan"):
        done = place.harness(command, str(file))
        assert done.returncode == 2
        assert said in done.stderr
    assert place.run_directory is None


def test_halt_stops_what_runs_and_refuses_what_comes(place):
    file = str(place.experiment(FAULTS["network"]))
    with place.running("run", file) as shot:
        shot.until("injected f")
        assert "1 running" in place.harness("halt", "--reason", "fire drill").stdout
        ended(shot, place)
    assert "fire drill" in place.report["reasons"][0]
    refused = place.harness("run", file)
    assert refused.returncode == 2
    assert "fire drill" in refused.stderr
    assert "halted: fire drill" in place.harness("ps").stdout
    assert place.harness("resume").returncode == 0
    with place.running("run", file) as shot:
        shot.until("world.ready")


# ---------------------------------------------------------------- what a run stands on


def test_a_system_that_does_not_come_up(place):
    place.write("litter.py", "raise SystemExit('no such cluster: eu-3')")
    done = place.harness("run", str(place.experiment(FAULTS["network"])))
    assert done.returncode == 6
    assert "no such cluster: eu-3" in done.stdout + done.stderr
    assert not any(told.startswith("inject") for told in place.told)


def test_a_locust_file_that_cannot_be_used(place):
    place.write("user.py", "import nothing_of_that_name")
    done = place.harness("run", str(place.experiment(FAULTS["network"])))
    assert done.returncode == 2, done.stdout + done.stderr
    assert "nothing_of_that_name" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("step", ["load.started", "injected f"])
def test_a_journal_that_cannot_be_written(place, step):
    """From that step on the harness can make no file longer than its journal is."""
    with place.running("run", str(place.experiment(FAULTS["pause"]))) as shot:
        shot.until(step)
        size = (place.run_directory / "journal.jsonl").stat().st_size
        resource.prlimit(shot.process.pid, resource.RLIMIT_FSIZE, (size, size))
        assert shot.ends(ENDS_S) == 4, shot.said
        shot.nothing_left()
    assert "the journal cannot be written: [Errno 27] File too large" in shot.said
    assert "everything was taken back" in shot.said
    if step == "load.started":
        assert not any(told.startswith("inject") for told in place.told)
    assert place.harness("recover", place.run_directory.name).returncode == 0


def test_where_user_namespaces_are_refused(place):
    """Who insists on them is told the cure; without, see `test_loopback`."""
    inside = 'echo 0 > /proc/sys/user/max_user_namespaces && exec "$@"'
    before = ("unshare", "-rU", "sh", "-c", inside, "sh")
    insisting = {"HARNESS_LOCAL": "namespaces"}
    for command, status in ((("run", str(place.experiment())), 2), (("doctor",), 0)):
        with place.running(*command, before=before, **insisting) as shot:
            assert shot.ends() == status, shot.said
        said = " ".join(shot.said.split())
        assert "user.max_user_namespaces is 0" in said
        assert "sysctl -w user.max_user_namespaces" in said


def test_a_world_that_ends_while_it_starts(place):
    slow_to_start(place)
    with place.running("run", str(place.experiment(FAULTS["network"]))) as shot:
        wait(lambda: shot.who("slow.py"), 20, "service")
        shot.first.kill()
        assert shot.ends(ENDS_S) == 6, shot.said
        shot.nothing_left()
    assert (
        "litter cannot be started" in place.report["reasons"][0]
        or "world" in place.report["reasons"][0]
    )
