"""What became of a request, from the exception that a client raised or stored for it.

Clients wrap: what the operating system said is looked for along the chain of causes. An answer
that came counts before what a person's check says about it, so that `failure()` on a 503 is STATUS
and on a refused connection REFUSED; CONTENT is a good answer that somebody rejected.
"""

from __future__ import annotations

import errno
from collections.abc import Iterator

from harness.load.recording import Outcome

_REFUSED = {errno.ECONNREFUSED, errno.EHOSTUNREACH, errno.ENETUNREACH}
_RESET = {errno.ECONNRESET, errno.EPIPE, errno.ECONNABORTED}

#: Exceptions of clients that are no OSError, by the name of their class: importing the clients to
#: compare classes would cost more than it tells, and bases mislead (urllib3's is HTTPError).
_NAMED = {
    "Timeout": Outcome.TIMEOUT,
    "Overdue": Outcome.TIMEOUT,
    "ReadTimeoutError": Outcome.TIMEOUT,
    "ConnectTimeoutError": Outcome.TIMEOUT,
    "ReadTimeout": Outcome.TIMEOUT,
    "ConnectTimeout": Outcome.TIMEOUT,
    "HTTPConnectionClosed": Outcome.RESET,
    "RemoteDisconnected": Outcome.RESET,
    "IncompleteRead": Outcome.RESET,
    "ChunkedEncodingError": Outcome.RESET,
    "HTTPError": Outcome.STATUS,
    "BadStatusCode": Outcome.STATUS,
    "LocustBadStatusCode": Outcome.STATUS,
    "CatchResponseError": Outcome.CONTENT,
    "AssertionError": Outcome.CONTENT,
    "JSONDecodeError": Outcome.CONTENT,
}
#: libpq tells in words alone; psycopg calls all of it OperationalError.
_SAID = {
    "Connection refused": Outcome.REFUSED,
    "closed the connection": Outcome.RESET,
    "connection is closed": Outcome.RESET,
    "timeout expired": Outcome.TIMEOUT,
}
#: Attributes in which urllib3 and geventhttpclient keep what they wrap.
_WRAPPED_AS = ("reason", "original")
_MOST_CAUSES = 16


def outcome_of(
    exception: BaseException | None, status: int = 0, cause: BaseException | None = None
) -> Outcome:
    """The outcome; `status` is the HTTP status (0 for none), `cause` the client's own error."""
    if exception is None:
        return Outcome.OK
    told = _told_by(cause) if cause is not None and not status else None
    if told is not None:
        return told
    if status >= 400:
        return Outcome.STATUS
    return _told_by(exception) or Outcome.OTHER


def _told_by(exception: BaseException) -> Outcome | None:
    """The first cause that says something definite."""
    return next(filter(None, map(_own, _causes(exception))), None)


def _own(exception: BaseException) -> Outcome | None:
    number = getattr(exception, "errno", None)
    if isinstance(exception, TimeoutError) or number == errno.ETIMEDOUT:
        return Outcome.TIMEOUT
    if number in _REFUSED:
        return Outcome.REFUSED
    if number in _RESET or isinstance(exception, ConnectionResetError):
        return Outcome.RESET
    name = type(exception).__name__
    return _by_words(str(exception)) if name == "OperationalError" else _NAMED.get(name)


def _by_words(said: str) -> Outcome | None:
    return next((outcome for words, outcome in _SAID.items() if words in said), None)


def _causes(exception: BaseException) -> Iterator[BaseException]:
    """The exception, and what it wraps in any of the ways in which clients do it."""
    waiting, seen = [exception], 0
    while waiting and seen < _MOST_CAUSES:
        current = waiting.pop(0)
        seen += 1
        yield current
        named = (getattr(current, name, None) for name in _WRAPPED_AS)
        wrapped = (current.__cause__, current.__context__, *named, *current.args)
        waiting += [item for item in wrapped if isinstance(item, BaseException)]
