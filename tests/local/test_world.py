"""The local world: what is in it, and that nothing of it stays whatever ends it."""

import contextlib
import os
import secrets
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from worlds import PYTHON, WHY_NOT, said, script, system, web

from harness.agent.effects import Processes, ProcessesSeen, Restart, Unit
from harness.capabilities import HandsError, Signals
from harness.errors import NotReady, Refused
from harness.substrates.local import channel
from harness.substrates.local.substrate import LocalSubstrate
from harness.units import Duration

pytestmark = pytest.mark.skipif(bool(WHY_NOT), reason=WHY_NOT or "works")
LOCAL = LocalSubstrate()


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    """A front that calls two replicas, one of which a test may break."""
    directory = tmp_path_factory.mktemp("shop")
    (directory / "index.html").write_text("hello")
    made = system(
        directory,
        web("front", calls=("api",)),
        web("api", port=80, replicas=2, zones=("a", "b"), restart_after=Duration(0.2)),
        name="shop",
    )
    with LOCAL.open(made, directory, 5.0) as world:
        yield world, made, directory


def look(shop, host, command, service=True):
    world, _, directory = shop
    return said(world.name, host, command, directory, service)[0]


# ---------------------------------------------------------------- what is in it


def test_a_service_is_all_of_its_replicas_and_a_replica_is_one(shop):
    found = look(shop, "client", "getent ahostsv4 api; getent ahostsv4 api-1")
    assert {line.split()[0] for line in found.splitlines()} == {"198.18.0.3", "198.18.0.4"}
    assert "198.18.0.4" in look(shop, "front", "getent hosts api-1")


def test_hosts_reach_each_other(shop):
    fetch = f"{PYTHON} -c \"import urllib.request as u; print(u.urlopen('http://%s').read())\""
    assert "hello" in look(shop, "client", fetch % "front:8080/index.html")
    assert "hello" in look(shop, "front", fetch % "api-1/index.html")


def test_there_is_no_way_out(shop):
    """No default route, no device but the cable, no socket of the machine."""
    assert look(shop, "client", "cat /proc/net/route").count("\n") == 2
    assert look(shop, "client", "tail -n +3 /proc/net/dev | cut -d: -f1").split() == ["lo", "eth0"]
    assert "resolve" not in look(shop, "client", "ls /run")


def test_services_are_an_ordinary_user_with_a_name(shop):
    assert look(shop, "front", "id -un; id -u").split() == ["harness", "1000"]
    assert look(shop, "front", "grep CapEff /proc/self/status").split()[1].strip("0") == ""


def test_our_own_processes_are_root_of_the_world_and_not_of_the_system(shop):
    assert look(shop, "front", "id -u", service=False).strip() == "0"
    (front,) = LOCAL.resources(Signals, LOCAL.topology(shop[1]).named("front"), ())
    assert isinstance(front, Processes)
    before = shop[0].hands.measure(Unit("front"), None, 0.1)
    assert len(before.alive) == 1


def test_every_frame_on_a_cable_is_of_ordinary_size(shop):
    """Offloads are off: a bulk transfer shows no frame above 1514 bytes on the bridge port."""
    world, _, directory = shop
    big = directory / "big.bin"
    big.write_bytes(os.urandom(1 << 20))
    seen = directory / "sniff.py"
    seen.write_text(
        "import socket, time\n"
        "s = socket.socket(17, 3, 0); s.bind(('v-2', 3)); s.settimeout(0.2)\n"
        "print('on', flush=True)\nlargest = total = 0\nend = time.time() + 3\n"
        "while time.time() < end and total < 1000000:\n"
        "    try: n = len(s.recv(1 << 17))\n"
        "    except TimeoutError: continue\n"
        "    largest, total = max(largest, n), total + n\n"
        "print(largest, total)\n"
    )
    out = directory / "sniff.txt"
    sniffer = world.spawn("", (sys.executable, str(seen)), out)
    wait_for(lambda: out.exists() and "on" in out.read_text())
    fetch = "import urllib.request as u; print(len(u.urlopen('http://front:8080/big.bin').read()))"
    assert str(1 << 20) in look(shop, "client", f'{PYTHON} -c "{fetch}"')
    wait_for(lambda: sniffer.poll() is not None)
    largest, total = map(int, out.read_text().split()[1:])
    assert total > 100_000  # a slow sniffer misses some
    assert largest <= 1514


def test_a_process_of_ours_writes_its_log_and_its_status_is_told(shop, tmp_path):
    world, _, directory = shop
    speak = ("/bin/sh", "-c", "echo out; echo err >&2; exit 3")
    child = world.spawn("client", speak, directory / "x.log")
    wait_for(lambda: child.poll() is not None)
    assert child.poll() == 3
    assert (directory / "x.log").read_text() == "out\nerr\n"


def test_a_process_of_ours_that_ignores_term_is_ended(shop):
    world, _, directory = shop
    deaf = ("/bin/sh", "-c", "trap '' TERM; sleep 60 & wait; sleep 60")
    child = world.spawn("client", deaf, directory / "y.log")
    child.terminate()
    assert child.poll() is not None


def test_a_program_that_is_not_there_is_said(shop):
    world, _, directory = shop
    with pytest.raises(channel.ChannelError, match="no-such-program"):
        world.spawn("client", ("no-such-program",), directory / "z.log")
    with pytest.raises(channel.ChannelError, match="no host nowhere; there are client, front"):
        world.spawn("nowhere", ("true",), directory / "z.log")


def test_an_unknown_request_costs_nothing(shop):
    with pytest.raises(channel.ChannelError):
        channel.request(shop[0].name, "no-such-op")
    with pytest.raises(channel.ChannelError, match="no replica ghost"):
        channel.request(shop[0].name, "restart", replica="ghost", grace=1, port=1)
    assert shop[0].alive


def test_nothing_is_inherited_by_a_service(shop):
    listed = look(shop, "front", "ls -l /proc/self/fd")
    assert len([line for line in listed.splitlines() if "->" in line]) == 4  # 0, 1, 2 and ls's own


def test_the_world_is_found_by_its_name(shop):
    assert shop[0].name in channel.worlds()


def test_only_the_main_thread_starts_a_world(tmp_path):
    errors = []

    def start():
        try:
            with LOCAL.open(system(tmp_path, web()), tmp_path, 5.0):
                pass
        except Refused as error:
            errors.append(error)

    thread = threading.Thread(target=start)
    thread.start()
    thread.join()
    assert "main thread" in str(errors[0])


# ---------------------------------------------------------------- restarts


def test_a_restart_is_a_new_process_that_answers(shop):
    hands = shop[0].hands
    (old,) = hands.measure(Unit("api-0"), None, 0.1).alive
    seen = hands.act(Unit("api-0"), "receipt", Restart(2.0), "x")
    assert isinstance(seen, ProcessesSeen)
    assert [p.pid for p in seen.gone] == [old.pid]
    after = hands.measure(Unit("api-0"), None, 5.0)
    assert after.ready
    assert old.pid not in [p.pid for p in after.alive]
    assert [p.pid for p in after.gone] == [old.pid]
    assert not [trouble for trouble in shop[0].troubles() if "api-0" in trouble]


def test_what_ends_by_itself_is_told_and_started_again(shop):
    world = shop[0]
    (old,) = world.hands.measure(Unit("api-1"), None, 0.1).alive
    world.troubles()
    look(shop, "", f"kill -9 {old.pid}", service=False)
    told = []
    wait_for(lambda: told.extend(world.troubles()) or "api-1 was started again" in told)
    assert told[0] == "api-1 was ended by SIGKILL"
    assert world.hands.measure(Unit("api-1"), None, 5.0).ready


def test_what_is_never_restarted_stays_away(shop):
    world = shop[0]
    (old,) = world.hands.measure(Unit("front"), None, 0.1).alive
    look(shop, "", f"kill {old.pid}", service=False)
    wait_for(lambda: "front was ended by SIGTERM" in world.troubles())
    seen = world.hands.measure(Unit("front"), None, 0.5)
    assert (seen.alive, seen.ready) == ((), False)
    world.hands.act(Unit("front"), "receipt", Restart(1.0), "x")
    assert world.hands.measure(Unit("front"), None, 5.0).ready


def test_a_unit_takes_nothing_but_a_restart(shop):
    from harness.agent.effects import Kill

    with pytest.raises(HandsError):
        shop[0].hands.act(Unit("front"), "receipt", Kill(), "x")
    with pytest.raises(HandsError) as gone:
        shop[0].hands.measure(Unit("ghost"), None, 0.1)
    assert gone.value.target_gone


def test_the_whole_replica_ends_at_a_restart_even_what_ignores_term(tmp_path):
    text = (
        "import os, signal, time, socket\n"
        "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        "for _ in range(3):\n"
        "    if os.fork() == 0: time.sleep(600)\n"
        "s = socket.socket(); s.setsockopt(1, 2, 1); s.bind(('', 9000))\n"
        "s.listen(); time.sleep(600)\n"
    )
    made = system(tmp_path, script("stubborn", text, tmp_path, port=9000, ready="tcp"))
    with LOCAL.open(made, tmp_path, 5.0) as world:
        before = world.hands.measure(Unit("stubborn"), None, 0.1).alive
        assert len(before) == 4
        seen = world.hands.act(Unit("stubborn"), "receipt", Restart(0.3), "x")
        assert set(seen.gone) == set(before)


def test_a_crash_loop_is_given_up_and_said(tmp_path):
    made = system(tmp_path, web("good"), script("bad", "raise SystemExit(9)", tmp_path, port=1,
                                                 restart_after=Duration(0.01)))  # fmt: skip
    with LOCAL.open(made, tmp_path, 5.0) as world:
        told = []
        wait_for(lambda: told.extend(world.troubles()) or "given up" in "".join(told))
        assert told.count("bad exited with 9") == 5


# ---------------------------------------------------------------- not ready


def test_a_service_that_ends_at_once_is_not_ready_and_its_log_is_shown(tmp_path):
    made = system(tmp_path, script("bad", "print('no licence'); raise SystemExit(4)", tmp_path,
                                   port=9, ready="tcp"))  # fmt: skip
    with (
        pytest.raises(NotReady, match="bad ended while it started") as error,
        LOCAL.open(made, tmp_path, 5.0),
    ):
        pass
    assert "no licence" in error.value.hint
    assert not channel_of(made)


def test_a_service_that_never_answers_is_not_ready(tmp_path, monkeypatch):
    monkeypatch.setattr("harness.substrates.local.world.READY_S", 0.5)
    made = system(tmp_path, script("mute", "import time; time.sleep(60)", tmp_path, port=9,
                                   ready="/health"))  # fmt: skip
    with pytest.raises(NotReady, match="GET /health on port 9"), LOCAL.open(made, tmp_path, 5.0):
        pass
    assert not channel_of(made)


def test_a_command_that_does_not_exist_is_not_ready(tmp_path):
    from harness.experiment.system_model import Service

    made = system(tmp_path, Service("db", run="./no-such-server", port=1, ready="tcp"))
    with pytest.raises(NotReady, match="no-such-server"), LOCAL.open(made, tmp_path, 5.0):
        pass


# ---------------------------------------------------------------- nothing stays

HARNESS = """
import sys, time
from pathlib import Path
sys.path.insert(0, {tests!r})
from worlds import *
from harness.substrates.local.substrate import LocalSubstrate
directory = Path({directory!r})
litter = script("litter", LITTER, directory, "{mark} 9000", port=9000, ready="tcp")
made = system(directory, litter, web(), name="{mark}")
with LocalSubstrate().open(made, directory, 5.0) as world:
    print("up", flush=True)
    time.sleep(60)
"""


class Started:
    """A harness of its own process with a world that litters."""

    def __init__(self, directory: Path):
        self.mark = secrets.token_hex(3)
        self.directory = directory
        program = HARNESS.format(
            tests=str(Path(__file__).parent), directory=str(directory), mark=self.mark
        )
        self.process = subprocess.Popen(
            [sys.executable, "-c", program], stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )

    def wait_until_up(self):
        line = self.process.stdout.readline()
        assert line == b"up\n", self.process.stderr.read().decode()

    @property
    def stage_0(self):
        (child,) = children(self.process.pid)
        return child

    @property
    def first(self):
        (child,) = children(self.stage_0)
        return child

    def left(self):
        """Everything on this machine that carries our mark."""
        return [*processes_with(self.mark, self.process.pid), *self.files(), *self.sockets()]

    def files(self):
        places = (Path("/tmp"), Path("/dev/shm"), Path("/run"))
        named = [str(found) for place in places for found in place.glob(f"{self.mark}*")]
        keys = [line.split()[0] for line in Path("/proc/sysvipc/shm").read_text().splitlines()[1:]]
        mounts = [line for line in Path("/proc/self/mountinfo").read_text().splitlines()
                  if str(self.directory) in line]  # fmt: skip
        return [*named, *(key for key in keys if int(key) == int(self.mark, 16)), *mounts]

    def sockets(self):
        lines = Path("/proc/net/unix").read_text().splitlines()
        return [line for line in lines if self.mark in line]

    def end(self):
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()
        self.process.stderr.close()


def children(pid):
    listed = Path(f"/proc/{pid}/task/{pid}/children").read_text()
    return [int(child) for child in listed.split()]


def processes_with(mark, parent):
    """Those that name the mark, and supervisors of that parent."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            command = (entry / "cmdline").read_bytes().decode(errors="replace")
            ours = f"local.supervisor\0{parent}\0" in command or mark in command
            if ours and int(entry.name) != parent:
                found.append(f"{entry.name}: {command[-80:]}")
    return found


def channel_of(made):
    return [name for name in channel.worlds() if f"-{made.metadata.name}-" in name]


def wait_for(condition, for_s=15.0):
    deadline = time.monotonic() + for_s
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.02)


@pytest.mark.parametrize(
    ("victim", "number"),
    [
        ("harness", signal.SIGKILL), ("harness", signal.SIGTERM), ("harness", signal.SIGINT),
        ("stage 0", signal.SIGKILL), ("stage 0", signal.SIGTERM), ("stage 0", signal.SIGINT),
        ("first process", signal.SIGKILL),  # in a pid namespace it takes no other signal
    ],
)  # fmt: skip
def test_whatever_ends_it_nothing_stays(victim, number, tmp_path):
    started = Started(tmp_path)
    try:
        started.wait_until_up()
        assert len(started.left()) >= 4  # the test would see what stays
        harness, stage_0, first = started.process.pid, started.stage_0, started.first
        os.kill({"harness": harness, "stage 0": stage_0, "first process": first}[victim], number)
        wait_for(lambda: not started.left())
    finally:
        started.end()


@pytest.mark.parametrize("after_ms", [0, 60, 120, 150, 180, 200, 220, 250, 300, 400])
def test_killed_while_it_starts_nothing_stays(after_ms, tmp_path):
    started = Started(tmp_path)
    try:
        time.sleep(after_ms / 1000)
        started.process.kill()
        started.process.wait()
        wait_for(lambda: not started.left())
        time.sleep(0.1)
        assert not started.left()
    finally:
        started.end()


def test_a_stopped_world_ends_too(tmp_path):
    """SIGSTOP on all of its machinery: the kernel ends it nevertheless."""
    started = Started(tmp_path)
    try:
        started.wait_until_up()
        for pid in (started.first, started.stage_0):
            os.kill(pid, signal.SIGSTOP)
        started.process.kill()
        wait_for(lambda: not started.left())
    finally:
        started.end()
