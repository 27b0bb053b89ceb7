"""`harness selftest` as a user runs it: nothing is left; and where something is, it says so."""

import contextlib
import json
import os
import re
import signal
import subprocess
import time
from collections import Counter
from pathlib import Path

import pytest
from commands import harness
from real_toxiproxy import toxiproxy
from small_world import until
from worlds import WHY_NOT

from harness.faults import registry
from harness.mechanisms.processes import children
from harness.record.directory import RunDirectory
from harness.record.journal import read
from harness.selftest import outside, plain
from harness.selftest.family import Family
from harness.selftest.here import Here
from harness.selftest.judge import WENT_ON
from harness.selftest.results import Cell
from harness.selftest.shot import rehearse, shoot
from harness.selftest.victims import VICTIMS
from harness.substrates.registry import SWITCH

#: The agent's half and the reaper's half forget to let a stopped process go on.
FORGETFUL = """
import sys
from importlib import abc, util

class Patched(abc.MetaPathFinder):
    def find_spec(self, name, path, target=None):
        if name != "harness.mechanisms.signals":
            return None
        sys.meta_path.remove(self)
        spec = util.find_spec(name)
        run = spec.loader.exec_module
        def exec_module(module):
            run(module)
            module._continue = lambda target, but: None
        spec.loader.exec_module = exec_module
        return spec

sys.meta_path.insert(0, Patched())
"""


def selftest(tmp_path, *options, timeout=100.0, **env):
    path = tmp_path / "selftest.json"
    state = {"XDG_STATE_HOME": str(tmp_path / "state"), "TMPDIR": str(tmp_path)}
    done = harness(
        "selftest", "--output", "console", "--output", f"json={path}", *options,
        timeout=timeout, **state, **env,
    )  # fmt: skip
    return done, json.loads(path.read_text())


@pytest.mark.skipif(bool(WHY_NOT), reason=WHY_NOT)
@pytest.mark.timeout(900)
def test_nothing_is_left_behind(tmp_path):
    """A sample of every fault, every step and everybody who can be killed, with a new seed each
    time; the figures are printed."""
    with toxiproxy() as url:
        done, report = selftest(tmp_path, "--quick", "--toxiproxy", url, timeout=800)
    print(done.stdout)
    assert done.returncode == 0, done.stdout + done.stderr
    cells = [shot["cell"] for shot in report["shots"]]
    nowhere = Counter(fault for fault, _, _ in report["not_offered"])
    assert {c["fault"] for c in cells} == {
        f for f in registry.names() if nowhere[f] <= len(Here().substrates)
    }
    dependencies = {f for f in registry.names() if f.startswith("dependency.")}
    for where in ("local", "attached", url):
        shot_at = {c["fault"] for c in cells if c["substrate"] == where}
        assert dependencies <= shot_at
    assert len(report["rehearsals"]) > 10
    assert {cell["victim"] for cell in cells} == set(VICTIMS)
    assert report["left_behind"] == 0
    assert report["longest_s"] < 3 * (report["lease_s"] + 1)
    assert "left" in done.stdout
    assert not list(Path(tmp_path).glob("harness-selftest-*"))


def test_a_dependency_that_dies_behind_a_toxiproxy_leaves_nothing(tmp_path):
    """Nobody can look through the proxy any more; that no toxic is on it, it says itself."""
    with toxiproxy() as url:
        cell = Cell(url, "dependency.latency", "witnessed", "target")
        shot = shoot(Here(url), cell, tmp_path / "run")
    assert (shot.hit, shot.by, shot.bad) == (1, WENT_ON, False), shot
    journal = RunDirectory(tmp_path / "run" / "reports" / "last").journal
    assert any((s.step, s.effect) == ("target_gone", "f/asker->server") for s in read(journal))


@pytest.mark.skipif(bool(WHY_NOT), reason=WHY_NOT)
def test_a_namespace_that_a_run_only_enters_is_not_left_by_it():
    """As a node's power switch enters that of the control plane, to plug its cable in."""
    with started("exec unshare -Urn sleep 60") as older:
        entered = network_of(older.pid)
        time.sleep(0.05)  # when a process began is told in ticks of 10 ms
        enters = f"nsenter -t {older.pid} -U -n --preserve-credentials sleep 60"
        with (
            started(f"{enters} & unshare -Urn sleep 60 & wait") as run,
            contextlib.closing(Family(run.pid, None)) as family,
        ):
            assert until(lambda: len(children(run.pid)) == 2)
            networks = {network_of(child.pid) for child in children(run.pid)}
            family.look()
            assert len(networks) == 2
            assert networks & family.namespaces_left() == networks - {entered}


@contextlib.contextmanager
def started(line):
    shell = subprocess.Popen(["sh", "-c", line], start_new_session=True)
    try:
        yield shell
    finally:
        os.killpg(shell.pid, signal.SIGKILL)
        shell.wait()


def network_of(pid):
    """Once it is one of its own."""
    there, here = Path(f"/proc/{pid}/ns/net"), Path("/proc/self/ns/net").readlink()
    assert until(lambda: there.readlink() != here)
    return str(there.readlink())


def test_a_victim_that_lives_elsewhere_is_missed(tmp_path):
    """As where the report of another ground is resumed."""
    shot = shoot(Here(), Cell("attached", "process.pause", "held", "API server"), tmp_path / "run")
    assert (shot.hit, shot.bad) == (0, False)


@pytest.mark.parametrize("step", ["witnessed", "reverted"])
def test_what_is_left_is_found(tmp_path, monkeypatch, step):
    (tmp_path / "sitecustomize.py").write_text(FORGETFUL)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    cell = Cell("attached", "process.pause", step, "SIGTERM")
    shot = shoot(Here(), cell, tmp_path / "run")
    assert shot.hit
    assert any("is stopped" in line for line in shot.left)


def test_nothing_is_left_on_loopback(tmp_path, monkeypatch):
    """Where there are no namespaces: a whole run, then one of each kind of death."""
    monkeypatch.setenv(SWITCH, "loopback")
    assert Here().substrates == ("loopback", "attached", "plain")
    whole = rehearse(Here(), Cell("loopback", "process.pause", "", ""), tmp_path / "whole")
    deaths = [
        shoot(Here(lease_s=2.0), Cell("loopback", fault, "made", victim), tmp_path / victim)
        for fault, victim in (("process.pause", "supervisor"), ("dependency.down", "all"))
    ]
    assert [shot.left + shot.wrong for shot in (whole, *deaths)] == [()] * 3
    assert all(shot.hit for shot in (whole, *deaths))


@pytest.mark.skipif(os.getuid() != 0, reason="not root")
@pytest.mark.parametrize(
    ("left", "seen"),
    [
        ("ip link add hx7f type veth peer hx7b", "ip -d link: new: .* hx7f@hx7b"),
        (
            "tc qdisc add dev eth0 root tbf rate 1mbit burst 2kb latency 9ms",
            "tc qdisc: new: .* tbf",
        ),
        ("nft add table ip harness_7", "nft list ruleset: new: table ip harness_7"),
        ("ip route add 198.19.0.0/16 dev eth0", "ip route show table all: new: 198.19.0.0/16"),
    ],
)
def test_programs_of_the_system_see_what_is_left(left, seen):
    """In a plain network namespace, where nothing ends by itself."""
    with plain.cabled() as hosts:
        asker, server, _ = hosts
        before = outside.look(hosts)
        assert not list(outside.differences(before, outside.look(hosts)))
        assert not outside.disturbed(asker, server)
        with asker.entered():
            subprocess.run(left.split(), check=True)
        found = list(outside.differences(before, outside.look(hosts)))
        assert any(re.match(f"asker: {seen}", line) for line in found), found
        with server.entered():
            subprocess.run(["ip", "link", "set", "eth0", "down"], check=True)
        assert "0 received" in outside.disturbed(asker, server)


def test_a_fault_that_is_not_there(tmp_path):
    done = harness("selftest", "--fault", "process.pauze")
    assert done.returncode == 2
    assert "did you mean process.pause?" in done.stderr
