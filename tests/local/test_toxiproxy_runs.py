"""Runs on what is there already, its dependency behind a real Toxiproxy: every dependency fault in
one of them; and whoever is killed, the toxics go, and those of others stay."""

from __future__ import annotations

import contextlib
import signal
import socket
import subprocess
import sys

import pytest
from fire import LEASE_AND_1_S, STOP, Place, wait
from real_toxiproxy import free_port, mortal, toxiproxy
from toxiproxy.toxic import Toxic

from harness.substrates.attached.toxiproxy_api import Server

SYSTEM = """
apiVersion: harness/v1
kind: System
metadata: {{name: here}}
spec:
  services:
    front: {{attach: {{port: {front}}}, url: "http://127.0.0.1:{front}", calls: [back]}}
    back:
      upstream: "127.0.0.1:{back}"
      proxy: "127.0.0.1:{proxy}"
      toxiproxy: "{url}"
      probe: "GET / HTTP/1.1\\r\\nHost: back\\r\\n\\r\\n"
"""
EACH = (
    "latency, delay: 100ms", "down", "reset", "timeout", "bandwidth, rate: 80kbit",
    "slow_close, delay: 300ms", "slicer, size: 64B, pause: 5ms", "limit_data, limit: 100B",
    "flapping, down: 500ms, up: 500ms", "latency, delay: 100ms, share: 50%",
)  # fmt: skip
SLOW = "{id: f, at: 1s, for: 60s, fault: dependency.latency, from: front, to: back, delay: 40ms}"
FOREIGN = Toxic(name="mine", type="latency", stream="upstream", attributes={"latency": 1})


class Behind(Place):
    """A front that asks a back over one kept connection, by way of a Toxiproxy."""

    def begin(self, url: str) -> None:
        self.server = Server(url)
        front, back, self.proxy = (free_port() for _ in range(3))
        self.upstream, self.listen = f"127.0.0.1:{back}", f"127.0.0.1:{self.proxy}"
        self.processes = [self.start(back), self.start(front, self.listen)]
        for port in (back, front):
            wait(lambda port=port: self.answers(port), 10, f"server on {port}")
        self.write("system.yaml", SYSTEM.format(front=front, back=back, proxy=self.proxy, url=url))

    def start(self, port: int, *asks: str) -> subprocess.Popen[bytes]:
        argv = [sys.executable, "-P", str(self.path / "server.py"), str(port), *asks]
        return subprocess.Popen(argv, start_new_session=True)

    def answers(self, port: int) -> bool:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return True
        return False

    def close(self) -> None:
        for process in self.processes:
            process.kill()
            process.wait()

    @property
    def toxics(self) -> set[str]:
        return {toxic.name for toxic in self.server.toxics("back")}

    @property
    def is_slow(self) -> bool:
        return any(name.startswith("harness-") for name in self.toxics)

    def is_as_before(self) -> None:
        """Ours are gone, that of others is not, and the proxy is what it was."""
        wait(lambda: not self.is_slow, LEASE_AND_1_S, "end of our toxics")
        assert self.toxics == {"mine"}
        (proxy,) = self.server.proxies()
        assert (proxy.name, proxy.enabled) == ("back", True)


@pytest.fixture(scope="module")
def url():
    with toxiproxy() as found:
        yield found


@pytest.fixture
def place(tmp_path, url):
    place = Behind(tmp_path)
    place.begin(url)
    place.server.create("back", place.listen, place.upstream)
    place.server.add("back", FOREIGN)
    yield place
    place.server.delete("back")
    place.close()


def test_every_dependency_fault_in_one_run(place):
    lines = [
        f"{{id: f{n}, at: {1 + 5 * n}s, for: 3s, fault: dependency.{fault}, target: back}}"
        for n, fault in enumerate(EACH)
    ]
    path = place.experiment(",\n    ".join(lines), more="guard: {max_duration: 120s}")
    done = place.harness("run", str(path), "--output", "json=report.json", timeout=150)
    assert done.returncode == 0, done.stdout + done.stderr
    for n in range(len(EACH)):
        assert f"witnessed f{n}/front->back" in place.told
    told = [step.data["what"] for step in place.steps if step.step == "trouble"]
    assert told == ["front->back: toxic mine (latency, upstream) is not ours, and left alone"]
    place.is_as_before()


@pytest.mark.parametrize("step", ["receipt f", "injecting f", "injected f", "witnessed f"])
def test_the_harness_is_killed_at_a_step(place, step):
    with place.running("run", str(place.experiment(SLOW))) as shot:
        shot.until(step.replace(" f", " intercept") if step.startswith("receipt") else step)
        shot.process.kill()
        place.is_as_before()
        shot.nothing_left()
    assert place.harness("recover", "--all").returncode == 0
    assert "nothing was left behind" in place.harness("ps").stdout


@pytest.mark.parametrize("victim", ["agent", "reaper", "agent and reaper"])
def test_whoever_of_the_agent_is_killed(place, victim):
    with place.running("run", str(place.experiment(SLOW))) as shot:
        shot.until("injected f")
        assert place.is_slow
        for process in [getattr(shot, name) for name in victim.split(" and ")]:
            process.kill()
        place.is_as_before()
        assert shot.ends() == 6, shot.said
        shot.nothing_left()


@pytest.mark.parametrize(("sent", "status"), [(signal.SIGINT, 4), (signal.SIGTERM, 4)])
def test_a_person_ends_it(place, sent, status):
    with place.running("run", str(place.experiment(SLOW))) as shot:
        shot.until("injected f")
        shot.process.send_signal(sent)
        assert shot.ends() == status, shot.said
        place.is_as_before()


def test_a_harness_that_stands_still_loses_its_lease(place):
    with place.running("run", str(place.experiment(SLOW))) as shot:
        shot.until("injected f")
        shot.process.send_signal(STOP)
        place.is_as_before()
        shot.process.send_signal(signal.SIGCONT)
        assert shot.ends() == 6


def test_recover_takes_back_what_nobody_else_could(place):
    with place.running("run", str(place.experiment(SLOW))) as shot:
        shot.until("injected f")
        killed = shot.reaper, shot.agent
        for process in killed:
            process.send_signal(STOP)
        shot.process.kill()
        for process in killed:
            process.kill()
        shot.process.wait()
    assert place.is_slow
    run = place.run_directory.name
    assert f"harness recover {run}" in place.harness("ps").stdout
    done = place.harness("recover", run)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "taken back: f/front->back" in done.stdout
    place.is_as_before()
    assert "nothing was left behind" in place.harness("recover", run).stdout


def test_a_proxy_that_is_not_there_is_made_and_taken_away(place):
    place.server.delete("back")
    short = SLOW.replace("60s", "2s")
    done = place.harness("run", str(place.experiment(short)))
    assert done.returncode == 0, done.stdout + done.stderr
    assert place.server.proxies() == ()
    place.server.create("back", place.listen, place.upstream)


def test_a_server_that_dies_ends_the_run_and_leaves_nothing(tmp_path):
    place = Behind(tmp_path)
    with mortal() as (url, server):
        place.begin(url)
        place.server.create("back", place.listen, place.upstream)
        with place.running("run", str(place.experiment(SLOW))) as shot:
            shot.until("witnessed f")
            server.kill()
            assert shot.ends() in (1, 6), shot.said
            assert "Traceback" not in shot.said
    assert place.harness("recover", "--all").returncode == 0
    place.close()


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('upstream: "127.0.0.1:', 'upstream: "127.0.0.2:', "leads to 127.0.0.1:"),
        ('toxiproxy: "http://127.0.0.1:', 'toxiproxy: "http://127.0.0.2:', "nothing listens at"),
        ('probe: "GET', 'probe: "\\u0000', "does not answer its probe"),
    ],
)
def test_what_is_not_so_is_said_before_anything_is_done(place, old, new, said):
    place.change("system.yaml", old, new)
    done = place.harness("run", str(place.experiment(SLOW)))
    assert said in done.stdout + done.stderr
    assert done.returncode in (2, 6)
    assert "Traceback" not in done.stderr
    place.is_as_before()
