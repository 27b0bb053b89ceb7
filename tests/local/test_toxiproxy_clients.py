"""Clients that people use do all they can with both servers, and see the same."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import toxiproxy_build
from toxiproxy_servers import OURS, REAL, Api, running

_HERE = Path(__file__).parent / "toxiproxy_clients"


@pytest.fixture(scope="module")
def both() -> Iterator[tuple[Api, Api]]:
    with running(REAL) as real, running(OURS) as ours:
        yield ours, real


def saw(api: Api, *argv: str, **environment: str) -> list[str]:
    done = subprocess.run(
        [*argv, str(api.port)], capture_output=True, text=True, timeout=60, check=False,
        env={**os.environ, **environment},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr + done.stdout
    return re.sub(r"127\.0\.0\.1:\d{4,5}", "127.0.0.1:PORT", done.stdout).splitlines()


def test_toxiproxy_python(both: tuple[Api, Api]) -> None:
    pytest.importorskip("toxiproxy", reason="toxiproxy-python is not installed")
    ours, real = (saw(api, sys.executable, str(_HERE / "client.py")) for api in both)
    assert ours == real
    assert len(ours) > 10


def test_toxiproxy_node_client(both: tuple[Api, Api]) -> None:
    modules = str(toxiproxy_build.node_client() / "node_modules")
    script = str(_HERE / "client.js")
    ours, real = (saw(api, "node", script, NODE_PATH=modules) for api in both)
    assert ours == real
    assert len(ours) > 10


def test_the_go_client(both: tuple[Api, Api]) -> None:
    program = str(toxiproxy_build.go_client(_HERE / "client.go"))
    ours, real = (saw(api, program) for api in both)
    assert ours == real
    assert len(ours) > 10
