"""When an agent is lost another one takes back, and never after the run is over."""

import pytest

from harness.agent.effects import Processes, Snapshot
from harness.capabilities import HandsError
from harness.substrates.successor import SucceedingHands

API = Processes("api")
BEFORE = Snapshot("x", {})


class Agent:
    """Answers, unless it is lost."""

    def __init__(self, lost=False):
        self.lost = lost

    def snapshot(self, resource):
        if self.lost:
            raise HandsError("the agent is gone", lost=True)
        return BEFORE


def test_another_answers_and_is_started_once():
    started = []
    hands = SucceedingHands(Agent(lost=True), lambda: started.append(1) or Agent())
    assert [hands.snapshot(API), hands.snapshot(API)] == [BEFORE, BEFORE]
    assert started == [1]
    with pytest.raises(HandsError, match="nothing is injected any more"):
        hands.renew()


def test_nobody_succeeds_when_the_run_is_over():
    hands = SucceedingHands(Agent(lost=True), Agent)
    hands.over()
    with pytest.raises(HandsError, match="the run is over") as refused:
        hands.snapshot(API)
    assert refused.value.lost
