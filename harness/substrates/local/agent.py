"""The agent of a world: started beside the bridge, spoken to over two pipes."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

from harness.capabilities import HandsError
from harness.substrates.hands import AgentHands
from harness.substrates.local.channel import ChannelError
from harness.substrates.local.process import Asked, spawn
from harness.substrates.successor import SucceedingHands, succeeding


def agents_of(
    world: str, directory: Path, lease_s: float, env: Mapping[str, str]
) -> contextlib.AbstractContextManager[SucceedingHands]:
    """An agent, and another when that one is lost."""
    return succeeding(lambda: agent_of(world, directory, lease_s, env))


@contextlib.contextmanager
def agent_of(
    world: str, directory: Path, lease_s: float, env: Mapping[str, str]
) -> Iterator[AgentHands]:
    """Hands that reach the world's links, processes and edges; taken back and ended on leaving."""
    argv = (sys.executable, "-P", "-m", "harness.agent.main", "--lease", f"{lease_s:g}")
    asked = Asked("", argv, "/", env)
    to_agent, requests = os.pipe()
    answers, from_agent = os.pipe()
    with os.fdopen(answers, "rb") as reader, os.fdopen(requests, "wb") as writer:
        try:
            with (directory / "agent.log").open("ab") as log:
                child = spawn(world, asked, (to_agent, from_agent, log.fileno()))
        except ChannelError as error:  # what ended with the world needs no taking back
            raise HandsError(f"the world has ended: {error}", target_gone=True) from None
        finally:
            os.close(to_agent)
            os.close(from_agent)
        hands = AgentHands(reader, writer)
        try:
            yield hands
        finally:
            hands.close()
            child.terminate()
