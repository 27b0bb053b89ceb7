"""Where there are no namespaces: the same files on loopback ports, and nothing left there either.

`HARNESS_LOCAL=loopback` stands for a machine that refuses namespaces; one test takes them away for
real. Runs are an ordinary user's: of a root whose interpreter is closed to others they are its own.
"""

import os
import pwd
import shutil
import stat
import subprocess
import sys
import sysconfig
import tempfile
from pathlib import Path

import pytest
from fire import CONT, LEASE_AND_1_S, STOP, Place, alive, stopped, wait

ORDINARY = 1000
#: Daemons of daemons, which hear no SIGTERM, and a System V segment.
STRAY = """
import ctypes, os, signal, socket, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
ctypes.CDLL(None).shmget(int(sys.argv[1], 16), 4096, 0o1666)
for _ in range(2):
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            os.setsid()
            time.sleep(600)
        os._exit(0)
served = socket.socket(); served.setsockopt(1, 15, 1); served.bind(("", int(sys.argv[2])))
served.listen(); time.sleep(600)
"""
_SLOW = "{id: f, at: 1s, for: 60s, fault: dependency.latency, from: front, to: back, delay: 40ms}"
_PAUSE = "{id: f, at: 1s, for: 60s, fault: process.pause, target: back}"
FAULTS = {"dependency": _SLOW, "pause": _PAUSE}


class Loopback(Place):
    def __post_init__(self):
        super().__post_init__()
        self.write("litter.py", STRAY)
        give_away(self.path)

    @property
    def environment(self):
        return {**super().environment, "HARNESS_LOCAL": "loopback"}

    def experiment(self, *arguments, **fields):
        path = super().experiment(*arguments, **fields)
        give_away(self.path)
        return path

    def running(self, *arguments, **more):
        return super().running(*arguments, before=as_ordinary(), **more)


def is_open(path):
    ways = (path, *path.parents)
    return all(way.stat().st_mode & stat.S_IXOTH for way in ways)


def as_ordinary():
    """What turns root into an ordinary user, where that one could run anything."""
    needed = (Path(sys.executable).resolve(), Path(sys.prefix), Path(__file__).resolve().parent)
    if os.getuid() != 0 or not all(map(is_open, needed)):
        return ()
    ids = ("--reuid", str(ORDINARY), "--regid", str(ORDINARY), "--clear-groups")
    return ("setpriv", *ids, "--inh-caps=-all", "--bounding-set=-all")


def give_away(path):
    if as_ordinary():
        for one in (path, *path.rglob("*")):
            os.chown(one, ORDINARY, ORDINARY)


@pytest.fixture
def place():
    """Pytest's own directories are closed to others."""
    path = Path(tempfile.mkdtemp(prefix="lo-", dir="/tmp"))
    path.chmod(0o755)
    yield Loopback(path)
    shutil.rmtree(path)


def warden(shot):
    return next(p for p in shot.who("loopback.supervisor") if p.ppid() == shot.process.pid)


def supervisor(shot):
    first = warden(shot).pid
    return next(p for p in shot.who("loopback.supervisor") if p.ppid() == first)


def keepers(shot):
    parent = supervisor(shot).pid
    return [p for p in shot.who("loopback.supervisor") if p.ppid() == parent]


def recovered(place):
    done = subprocess.run(
        [*as_ordinary(), sys.executable, "-P", "-m", "harness.cli.main", "recover", "--all"],
        cwd=place.path, env=place.environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.parametrize("kind", FAULTS)
def test_killing_the_harness_leaves_nothing(place, kind):
    with place.running("run", str(place.experiment(FAULTS[kind]))) as shot:
        shot.until("injected f")
        strays = [p for p in shot.who("litter.py") if p.ppid() in {k.pid for k in keepers(shot)}]
        assert len(strays) == 3, "daemons stay their keeper's"
        shot.process.kill()
        took = shot.nothing_left()
    print(f"KILLED harness during {kind}: nothing left after {took:.2f} s")
    assert "ended with its world" in recovered(place)
    assert "nothing was left behind" in recovered(place)


#: Who is killed; a word of the reasons.
VICTIMS = {
    "warden": "the world has ended",
    "supervisor": "the world has ended",
    "agent and reaper": "lease lost",
    "proxy": "not confirmed",
}


@pytest.mark.parametrize("victim", VICTIMS)
def test_killing_others_ends_or_spoils_the_run(place, victim):
    short = FAULTS["dependency"].replace("60s", "3s")
    with place.running("run", str(place.experiment(short))) as shot:
        shot.until("injected f")
        for process in hit(shot, victim):
            process.kill()
        ended = shot.ends()
        took = shot.nothing_left()
    print(f"KILLED {victim}: exit {ended}, {place.report['reasons']}, after {took:.2f} s")
    assert ended == 6, shot.said
    assert any(VICTIMS[victim] in told for told in place.report["reasons"])
    assert not any(told.startswith("left_behind") for told in place.told)
    if "agent" in victim:
        assert "gone f/front->back" in place.told


def hit(shot, victim):
    return {
        "warden": lambda: [warden(shot)],
        "supervisor": lambda: [supervisor(shot)],
        "agent and reaper": lambda: [shot.reaper, shot.agent],
        "proxy": lambda: shot.who("proxy_listening"),
    }[victim]()


def test_a_keeper_that_is_killed_leaves_nobody_and_its_replica_comes_back(place):
    with place.running("run", str(place.experiment(FAULTS["dependency"]))) as shot:
        shot.until("injected f")
        (served,) = [p for p in shot.who("server.py") if p.ppid() in pids(keepers(shot))][:1]
        strays = [p for p in shot.who("litter.py") if p.ppid() in pids(keepers(shot))]
        for keeper in keepers(shot):
            keeper.kill()
        wait(lambda: not any(map(alive, [served, *strays])), LEASE_AND_1_S, "end of those kept")
        wait(lambda: any(map(alive, shot.who("server.py"))), LEASE_AND_1_S, "newcomer")
        shot.process.terminate()
        shot.ends()
        shot.nothing_left()


def pids(processes):
    return {process.pid for process in processes}


def test_all_guards_killed_at_once_is_for_recover(place):
    """Harness, warden, supervisor and keepers in one moment: only the note is left."""
    with place.running("run", str(place.experiment(FAULTS["pause"]))) as shot:
        shot.until("injected f")
        guards = [shot.process, warden(shot), supervisor(shot), *keepers(shot)]
        for guard in guards:
            guard.send_signal(STOP)
        for guard in guards:
            guard.kill()
        shot.process.wait()
        wait(lambda: not any(map(alive, shot.who("server.py"))), LEASE_AND_1_S, "end of services")
        recovered(place)
        shot.nothing_left()


def test_a_harness_that_stands_still_loses_its_lease(place):
    with place.running("run", str(place.experiment(FAULTS["pause"]))) as shot:
        shot.until("injected f")
        served = [p for p in shot.who("server.py") if stopped(p)]
        assert served
        shot.process.send_signal(STOP)
        wait(lambda: not any(map(stopped, served)), LEASE_AND_1_S, "target that runs again")
        shot.process.send_signal(CONT)
        assert shot.ends() == 6, shot.said
        shot.nothing_left()
    assert any("lease lost" in told for told in place.report["reasons"])


def an_open_python():
    """An interpreter that anybody may run: ours, or the same of this machine."""
    found = (sys.executable, f"/usr/bin/python3.{sys.version_info.minor}")
    return next((p for p in found if Path(p).exists() and is_open(Path(p).resolve())), "")


@pytest.mark.skipif(os.getuid() != 0, reason="not root")
@pytest.mark.skipif(not an_open_python(), reason="no interpreter that others may run")
def test_of_a_root_services_are_nobody_and_we_are_not(place):
    """Real servers refuse to be root. They are found and stopped as ever."""
    python, nobody = an_open_python(), pwd.getpwnam("nobody").pw_uid
    place.change("system.yaml", sys.executable, python)
    for one in (place.path, *place.path.rglob("*")):
        os.chown(one, 0, 0)
    packages = os.pathsep.join([str(ROOT), sysconfig.get_path("purelib")])
    by_it = ("sh", "-c", 'shift; exec "$0" "$@"', python)
    experiment = str(Place.experiment(place, FAULTS["pause"]))
    with Place.running(place, "run", experiment, before=by_it, PYTHONPATH=packages) as shot:
        shot.until("injected f")
        servers = shot.who("server.py")
        assert {process.uids().real for process in servers if process.ppid()} == {nobody}
        assert any(map(stopped, servers))
        ours = (*shot.who("loopback.supervisor"), *shot.who("harness.agent"))
        assert {process.uids().real for process in ours if process.pid != shot.process.pid} == {0}
        shot.process.kill()
        shot.nothing_left()


def test_what_cannot_be_offered_is_refused_by_name_and_reason(place):
    fault = FAULTS["dependency"].replace("dependency.latency", "network.latency")
    done = place.harness("run", str(place.experiment(fault)))
    assert done.returncode == 2
    assert "cannot take network.latency on loopback: it offers no Links" in done.stderr
    assert "HARNESS_LOCAL=loopback asks for no namespaces" in done.stderr
    assert place.run_directory is None
    done = place.harness("plan", str(place.experiment(FAULTS["pause"])), HARNESS_LOCAL="elsewhere")
    assert done.returncode == 2
    assert "loopback or namespaces" in done.stderr


ROOT = Path(__file__).resolve().parents[2]
#: Files of experiments/ that it can serve, each with its exit status.
LESSONS = {
    "checkout-survives-a-lost-replica": 0,
    "checkout-is-back-after-a-restart": 0,
    "checkout-fails-without-a-timeout": 1,
}


@pytest.mark.parametrize("name", LESSONS)
def test_a_demo_experiment_comes_to_what_it_teaches(place, name):
    """The real servers, of which PostgreSQL refuses to run as root."""
    if os.getuid() == 0 and not as_ordinary():
        pytest.skip(f"the interpreter is closed to ordinary users: {sys.executable}")
    give_away(place.path)
    file = ROOT / "experiments" / f"{name}.yaml"
    with place.running("run", str(file), "--retry-invalid", "1") as shot:
        assert shot.ends(180) == LESSONS[name], shot.said
        shot.nothing_left()
    assert place.report["run"]["substrate"] == "loopback"
    assert all(effect["confirmed"] for effect in place.report["effects"])
    assert all(effect["exercised"]["count"] for effect in place.report["effects"])


REFUSING = """
import ctypes, os, sys
seccomp = [(0x20, 0, 0, 0), (0x15, 0, 1, 272), (0x06, 0, 0, 0x00050001), (0x06, 0, 0, 0x7FFF0000)]
class Line(ctypes.Structure):
    _fields_ = [("code", ctypes.c_uint16), ("jt", ctypes.c_uint8), ("jf", ctypes.c_uint8),
                ("k", ctypes.c_uint32)]
class Program(ctypes.Structure):
    _fields_ = [("len", ctypes.c_uint16), ("filter", ctypes.POINTER(Line))]
lines = (Line * len(seccomp))(*[Line(*line) for line in seccomp])
libc = ctypes.CDLL(None, use_errno=True)
assert libc.prctl(38, 1, 0, 0, 0) == 0
assert libc.prctl(22, 2, ctypes.byref(Program(len(lines), lines))) == 0, ctypes.get_errno()
os.execvp(sys.argv[1], sys.argv[1:])
"""


@pytest.mark.skipif(os.uname().machine != "x86_64", reason="the filter knows x86-64 alone")
def test_where_the_kernel_refuses_namespaces_it_is_taken_by_itself(place):
    """A seccomp filter answers unshare with EPERM, as containers do."""
    filtered = (sys.executable, "-c", REFUSING)
    short = FAULTS["dependency"].replace("60s", "2s")
    with Place.running(
        place, "run", str(place.experiment(short)), before=(*as_ordinary(), *filtered),
        HARNESS_LOCAL="",
    ) as shot:  # fmt: skip
        assert shot.ends() == 0, shot.said
        shot.nothing_left()
    assert place.report["run"]["substrate"] == "loopback"
    (warning,) = [w for w in place.report["warnings"] if "127.0.0.1" in w]
    assert "user namespaces are refused" in warning
    assert "seccomp=unconfined" in warning
    done = subprocess.run(
        [*filtered, sys.executable, "-P", "-m", "harness.cli.main", "doctor"],
        env={**place.environment, "HARNESS_LOCAL": ""}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout
    said = " ".join(done.stdout.split())
    assert "no network.* faults" in said
    assert "seccomp=unconfined" in said
