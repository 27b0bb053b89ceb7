"""What a probe says, and what it takes for its answer; how long it is waited for."""

import socket
import threading

from harness.agent.effects import Curve, Toxic
from harness.mechanisms.probe_questions import look_for
from harness.mechanisms.probe_transfers import Line, Probe, Speech


def serving(talks: socket.socket, heard: list[bytes]) -> None:
    """A server that wants to be greeted before it answers."""
    answers = {b"HELLO\n": b"welcome\n", b"ASK\n": b"told\n"}
    lines = talks.makefile("rb")
    for line in lines:
        heard.append(line)
        talks.sendall(answers[line])


def test_a_connection_is_greeted_once() -> None:
    ours, theirs = socket.socketpair()
    heard: list[bytes] = []
    threading.Thread(target=serving, args=(theirs, heard), daemon=True).start()
    speech = Speech(b"ASK\n", 5, greeting=b"HELLO\n", welcome=8)
    probe = Probe(Line(speech, 1, lambda which, within_s: ours), 0, 1.0)
    first, second = probe.fetch(10, 5.0), probe.fetch(1, 5.0)
    probe.close()
    theirs.close()
    assert (first.outcome, first.bytes) == ("ok", 8 + 2 * 5)
    assert (second.outcome, second.bytes) == ("ok", 5)
    assert heard == [b"HELLO\n", b"ASK\n", b"ASK\n", b"ASK\n"]


def test_a_long_answer_in_pieces_is_waited_for() -> None:
    numbers = (("average_size", Curve.constant(100.0)), ("delay", Curve.constant(10_000.0)))
    slicer = Toxic("slicer", numbers=numbers)
    assert look_for(slicer, (), 1.0).patience_s == 1.0
    assert look_for(slicer, (), 1.0, answer=5000).patience_s == 1.0 + 1.2 * 1.0
    slow = Toxic("bandwidth", numbers=(("rate", Curve(((0.0, 10.0), (1.0, 5.0)))),))
    assert look_for(slow, (), 1.0, answer=5000).patience_s == 1.0 + 1.2 * 1.0
