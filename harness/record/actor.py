"""Who acts, as the journal names them."""

from __future__ import annotations

import getpass
import os
import socket
from datetime import UTC, datetime


def actor() -> str:
    """`user@host, pid 7`; a user that has no name by number."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):
        user = f"uid {os.getuid()}"
    return f"{user}@{socket.gethostname()}, pid {os.getpid()}"


def wall_time() -> str:
    """Now, for people: the monotonic clock of a step means nothing after the machine restarted."""
    return datetime.now(tz=UTC).isoformat(timespec="milliseconds")
