"""Samples of what the system uses, for as long as a run's world is up.

A helper and no part of the experiment: a run whose samples are missing says so and goes on.
"""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from harness.agent.effects import encode
from harness.capabilities import Signals
from harness.experiment.system_model import System
from harness.record.resources import FILE
from harness.substrates.substrate import Child, Substrate, World

CLIENT = "client"

log = logging.getLogger(__name__)


@contextmanager
def sampled(world: World, substrate: Substrate, system: System, directory: Path) -> Iterator[None]:
    """Sample until the block ends."""
    child = _start(world, substrate, system, directory)
    try:
        yield
    finally:
        if child:
            child.terminate()


def _start(world: World, substrate: Substrate, system: System, directory: Path) -> Child | None:
    if not substrate.sees_processes:
        return None
    targets = [
        (replica.service, found)
        for replica in substrate.topology(system).replicas
        for found in substrate.resources(Signals, (replica,), ())
    ]
    if not targets:
        return None
    argv = (
        sys.executable, "-m", "harness.substrates.sampler", str(directory / FILE),
        json.dumps(encode(targets)),
    )  # fmt: skip
    try:
        return world.spawn(CLIENT, argv, directory / "sampler.log")
    except Exception:
        log.exception("resources cannot be sampled")
        return None
