"""The agent with a proxy and a stop in force, killed: its reaper takes both back."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from small_world import SmallWorld, in_world, until

from harness.agent.effects import (
    Curve,
    Edge,
    InForce,
    Intercept,
    Processes,
    Snapshot,
    Stopped,
    Toxic,
    decode,
    encode,
)


class Agent:
    """The real one, spoken to over its pipes, one request after the other."""

    def __init__(self) -> None:
        argv = [sys.executable, "-m", "harness.agent.main", "--lease", "15"]
        self.process = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.number = 0

    def ask(self, op: str, **arguments: Any) -> Any:
        self.number += 1
        request = {"id": self.number, "op": op, **encode(arguments)}
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(json.dumps(request).encode() + b"\n")
        self.process.stdin.flush()
        return decode(json.loads(self.process.stdout.readline())["ok"])


@in_world("client", "server")
def test_the_reaper_takes_back_a_redirect_and_a_stop(world: SmallWorld) -> None:
    world.serve("server", 80)
    service = world.start("server", "sleep", "50")
    edge = Edge("client->server", world.netns("client"), (world.addresses["server"],), 80)
    processes, agent, now = Processes("server", world.netns("server")), Agent(), time.monotonic()
    pid = agent.ask("hello")["pid"]
    slow = Toxic("latency", numbers=(("latency", Curve.constant(100)),))
    for resource, mechanism, effects in (
        (edge, "proxy", (InForce("i", Intercept(), now), InForce("slow", slow, now))),
        (processes, "signals", (InForce("pause", Stopped(), now),)),
    ):
        assert agent.ask("mechanism", resource=resource) == mechanism
        before = agent.ask("snapshot", resource=resource)
        assert isinstance(before, Snapshot)
        agent.ask("make", resource=resource, receipt=mechanism, generation=1, snapshot=before,
                  effects=list(effects))  # fmt: skip
    assert agent.ask("measure", resource=edge, effect=slow, for_s=0.2).round_trip > 0.1
    assert "owner" in world.run("client", "nft", "list", "ruleset")
    assert _state(service.pid) == "T"
    os.kill(pid, signal.SIGKILL)
    assert agent.process.wait(15) == 0
    assert world.run("client", "nft", "list", "ruleset") == ""
    assert _state(service.pid) != "T"
    assert until(lambda: not _of_ours()), "no process of the agent is left"


def _state(pid: int) -> str:
    return Path(f"/proc/{pid}/stat").read_text().rsplit(") ", 1)[1][0]


def _of_ours() -> list[str]:
    lines = [path.read_bytes() for path in Path("/proc").glob("[0-9]*/cmdline")]
    return [
        line.decode() for line in lines if b"harness.mechanisms" in line or b"agent.main" in line
    ]
