"""Classes of failures, told from the exceptions that real clients raise."""

import socket

import pytest
import requests
import urllib3

from harness.load.outcomes import outcome_of
from harness.load.recording import Outcome


class CatchResponseError(Exception):
    """Named as Locust names it: importing Locust would change this process."""


CUT = urllib3.exceptions.ProtocolError("cut", ConnectionResetError())


def wrapped(inner):
    """As requests wraps what urllib3 wraps."""
    pool = urllib3.HTTPConnectionPool("web")
    return requests.exceptions.ConnectionError(urllib3.exceptions.MaxRetryError(pool, "/", inner))


@pytest.mark.parametrize(
    ("exception", "status", "cause", "outcome"),
    [
        (None, 200, None, Outcome.OK),
        (None, 404, None, Outcome.OK),  # somebody called success()
        (requests.exceptions.HTTPError("503"), 503, None, Outcome.STATUS),
        (ConnectionRefusedError(111, "refused"), 0, None, Outcome.REFUSED),
        (OSError(113, "No route to host"), 0, None, Outcome.REFUSED),
        (wrapped(ConnectionRefusedError(111, "refused")), 0, None, Outcome.REFUSED),
        (ConnectionResetError(104, "reset"), 0, None, Outcome.RESET),
        (BrokenPipeError(32, "pipe"), 0, None, Outcome.RESET),
        (wrapped(CUT), 0, None, Outcome.RESET),
        (TimeoutError(), 0, None, Outcome.TIMEOUT),
        (requests.exceptions.ReadTimeout(), 0, None, Outcome.TIMEOUT),
        (CatchResponseError("wrong"), 200, None, Outcome.CONTENT),
        (CatchResponseError("wrong"), 503, None, Outcome.STATUS),
        (CatchResponseError("wrong"), 0, ConnectionRefusedError(111, "refused"), Outcome.REFUSED),
        (CatchResponseError("wrong"), 0, TimeoutError(), Outcome.TIMEOUT),
        (socket.gaierror(-2, "unknown name"), 0, None, Outcome.OTHER),
        (KeyError("id"), 0, None, Outcome.OTHER),
    ],
)  # fmt: skip
def test_outcome(exception, status, cause, outcome):
    assert outcome_of(exception, status, cause) is outcome


def test_circles_of_causes_end():
    first, second = ValueError("a"), ValueError("b")
    first.__cause__, second.__cause__ = second, first
    assert outcome_of(first) is Outcome.OTHER
