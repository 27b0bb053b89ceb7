"""What travels between a run and its agent, and what the hands make of a pipe's end."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from typing import BinaryIO

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.agent.effects import Curve, Exercised, InForce, Link, LinkProfile, Snapshot
from harness.agent.ladder import Ladder
from harness.agent.protocol import (
    Answer,
    Failed,
    Malformed,
    Request,
    TargetGone,
    answer_of,
    failure_of,
    line_of,
    request_of,
)
from harness.capabilities import HandsError
from harness.substrates.hands import AgentHands

LINK = Link("api", "/run/netns/api", "v-2", "198.18.0.2")


def test_requests_and_answers_come_as_they_went() -> None:
    effects = (InForce("e", LinkProfile(delay=Curve(((0.0, 0.1), (1.0, 0.2)))), 1.5),)
    snapshot = Snapshot("w", {"a": "b"})
    sent = Request(7, "make", {"resource": LINK, "snapshot": snapshot, "effects": effects})
    assert request_of(line_of(sent)) == sent
    for answer in (
        Answer(7, Exercised(3, "packets")),
        Answer(7, None),
        Answer(7, None, "no", True),
    ):
        assert answer_of(line_of(answer)) == answer
    assert line_of(sent).count(b"\n") == 1


@given(st.binary())
def test_garbage_is_malformed_and_nothing_else(line: bytes) -> None:
    for read in (request_of, answer_of):
        try:
            read(line)
        except Malformed:
            continue


def test_failures_keep_what_they_mean() -> None:
    assert failure_of(1, TargetGone("away")) == Answer(1, None, "away", target_gone=True)
    assert failure_of(1, KeyError("x")).failure == "KeyError: 'x'"


def test_a_ladder_takes_the_first_rung_that_works_and_says_why_not() -> None:
    ladder = Ladder({Link: (f"{__name__}:Broken", f"{__name__}:Good")})
    assert ladder.choose(LINK).name == "good"
    assert ladder.named(LINK, "broken").name == "broken"
    assert ladder.working() == {"Link": "good"}
    with pytest.raises(Failed, match="rained"):
        Ladder({Link: (f"{__name__}:Broken", "no.such.module:Thing")}).choose(LINK)


class Good:
    name = "good"

    def works(self, resource: object = None, effects: tuple[object, ...] = ()) -> str:
        return ""


class Broken:
    name = "broken"

    def works(self, resource: object = None, effects: tuple[object, ...] = ()) -> str:
        return "it rained"


# ---------------------------------------------------------------- hands


def hands_with(peer: Callable[[BinaryIO, BinaryIO], None], timeout_s: float = 5.0) -> AgentHands:
    """Hands whose other side is this function, in a thread, over real pipes."""
    requests, to_agent = os.pipe()
    from_agent, answers = os.pipe()

    def serve() -> None:
        with os.fdopen(requests, "rb") as heard, os.fdopen(answers, "wb", 0) as said:
            peer(heard, said)

    threading.Thread(target=serve, daemon=True).start()
    return AgentHands(os.fdopen(from_agent, "rb"), os.fdopen(to_agent, "wb"), timeout_s)


def test_answers_find_their_calls_in_any_order() -> None:
    def peer(heard: BinaryIO, said: BinaryIO) -> None:
        first, second = request_of(heard.readline()), request_of(heard.readline())
        said.writelines(
            line_of(Answer(request.id, Exercised(1, request.arguments["effect_id"])))
            for request in (second, first)
        )
        heard.readline()

    hands = hands_with(peer)
    found: list[str] = []
    ask = lambda name: found.append(hands.exercised(LINK, name).unit == name)  # noqa: E731
    threads = [threading.Thread(target=ask, args=(name,)) for name in ("one", "two")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(5)
    assert found == [True, True]
    hands.close()


def test_an_error_says_whether_the_target_is_gone() -> None:
    def peer(heard: BinaryIO, said: BinaryIO) -> None:
        said.writelines(
            line_of(Answer(request_of(line).id, None, "it left", target_gone=True))
            for line in heard
        )

    hands = hands_with(peer)
    with pytest.raises(HandsError, match="it left") as raised:
        hands.renew()
    assert raised.value.target_gone
    assert not raised.value.lost
    hands.close()


def test_no_answer_is_an_error_and_the_late_one_harms_nobody() -> None:
    def peer(heard: BinaryIO, said: BinaryIO) -> None:
        late = request_of(heard.readline())
        said.write(b"not json\n" + line_of(Answer(99)))
        said.write(line_of(Answer(request_of(heard.readline()).id)) + line_of(Answer(late.id)))
        heard.readline()

    hands = hands_with(peer, timeout_s=0.3)
    with pytest.raises(HandsError, match="did not answer renew"):
        hands.renew()
    hands.renew()
    hands.close()


def test_a_closed_pipe_fails_calls_that_wait_and_all_that_come() -> None:
    def peer(heard: BinaryIO, said: BinaryIO) -> None:
        heard.readline()
        said.write(line_of(Answer(0, {"taken_back": ["api"], "left_behind": []})))

    hands = hands_with(peer)
    for _ in range(2):
        with pytest.raises(HandsError, match="taken back: api") as raised:
            hands.renew()
        assert raised.value.lost
    hands.close()
