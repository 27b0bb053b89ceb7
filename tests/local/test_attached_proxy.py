"""A system that runs already and has no Toxiproxy: a proxy of ours stands in its calls while a run
lasts, is told apart by its witness, and is gone whoever ends."""

import json
import subprocess
import sys

import pytest
from fire import LEASE_AND_1_S, Place, wait
from real_toxiproxy import free_port

SYSTEM = """
apiVersion: harness/v1
kind: System
metadata: {{name: here}}
spec:
  services:
    front: {{attach: {{port: {front}}}, url: "http://127.0.0.1:{front}", calls: [back]}}
    back: {{upstream: "localhost:{back}", proxy: "127.0.0.1:{between}"}}
"""
_WHERE = "from: front, to: back"
SLOW = f"{{id: f, at: 1s, for: 60s, fault: dependency.latency, {_WHERE}, delay: 40ms}}"
SMOOTH = f"""
    {{id: f, at: 1s, for: 3s, fault: dependency.latency, {_WHERE}, delay: {{ramp: 200ms..600ms, over: 3s}}}},
    {{id: g, at: 6s, for: 3s, fault: dependency.down, {_WHERE}}}
"""  # noqa: E501


class Between(Place):
    def __post_init__(self):
        super().__post_init__()
        self.front, self.back, self.between = (free_port() for _ in range(3))
        self.servers = [
            subprocess.Popen(
                [sys.executable, "-P", "server.py", *map(str, argv)],
                cwd=self.path,
                stderr=subprocess.DEVNULL,
            )
            for argv in ((self.back,), (self.front, f"127.0.0.1:{self.between}"))
        ]
        ports = {"front": self.front, "back": self.back, "between": self.between}
        self.write("system.yaml", SYSTEM.format(**ports))
        wait(lambda: not self.free(self.back) and not self.free(self.front), 20, "servers")

    def free(self, port):
        with subprocess.Popen(["ss", "-Hltn", f"sport = :{port}"], stdout=subprocess.PIPE) as said:
            return not said.communicate()[0]

    def close(self):
        for server in self.servers:
            server.kill()
            server.wait()


@pytest.fixture
def place(tmp_path):
    made = Between(tmp_path)
    yield made
    made.close()


def test_faults_are_seen_and_met_and_the_port_is_free_again(place):
    path = place.experiment(SMOOTH, objectives="availability >= 50% during f")
    path.write_text(path.read_text().replace("0.5s", "1.5s"))
    for _ in range(3):  # a busy machine spoils a run now and then
        done = place.harness("run", str(path), "--output", "json=report.json")
        if done.returncode != 6:
            break
    report = json.loads((place.path / "report.json").read_text())
    assert (done.returncode, report["verdict"]) == (0, "pass"), done.stdout + done.stderr
    for effect in report["effects"]:
        assert (effect["mechanism"], effect["confirmed"]) == ("proxy", True)
        assert effect["exercised"]["count"] >= 1
    assert place.free(place.between)
    assert not (place.run_directory / "edges").exists()
    assert "nothing" in place.harness("recover", "--all").stdout


def test_a_port_that_is_taken_is_told_before_anything_is_done(place):
    place.change("system.yaml", f":{place.between}", f":{place.front}")
    done = place.harness("run", str(place.experiment(SLOW)))
    assert done.returncode == 2
    assert "something else listens at" in done.stderr
    assert place.run_directory is None


@pytest.mark.parametrize("victim", ["harness", "proxy"])
def test_whoever_is_killed_nothing_stands_there(place, victim):
    with place.running("run", str(place.experiment(SLOW.replace("60s", "4s")))) as shot:
        shot.until("injected f", within_s=90)
        found = {"proxy": shot.who("proxy_listening"), "harness": [shot.process]}
        assert found[victim]
        for process in found[victim]:
            process.kill()
        if victim != "harness":
            assert shot.ends() == 6, shot.said
            assert not any(told.startswith("left_behind") for told in place.told)
        shot.nothing_left()
    wait(lambda: place.free(place.between), LEASE_AND_1_S, "free port")
    recovered = place.harness("recover", "--all")
    assert recovered.returncode == 0, recovered.stdout
    if victim == "harness":
        assert "f/front->back" in recovered.stdout
