"""A disk that takes nothing: how a run sees it coming, and what it says.

Nothing is injected without its receipt on disk, so a run ends with its disk: everything is taken
back, and that is told on stderr, since no journal can tell it.
"""

from __future__ import annotations

import errno
import os
from pathlib import Path

from harness.errors import HarnessError, Interrupted, LeftBehind, UsageError
from harness.run.engine import Engine
from harness.run.lifecycle import State

#: What a run's last lines and its reports take, many times over. With less than that it ends.
ROOM = 1 << 20
#: What can come of any disk at any time; everything else is about the path that was given.
_OF_THE_DISK = (errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EFBIG)


def full(path: Path) -> str:
    """Why no run may go on there, or empty."""
    disk = os.statvfs(path)
    blocks = disk.f_bavail if os.geteuid() else disk.f_bfree
    if not disk.f_blocks or blocks * disk.f_frsize >= ROOM:
        return ""
    return f"the disk of {path} is full: {blocks * disk.f_frsize >> 10} KiB are left"


def not_on_disk(engine: Engine, why: str) -> HarnessError:
    """The journal could not be written while effects came and went: what became of them."""
    left = [id for id, life in engine.lives.items() if life.state is State.LEFT_BEHIND]
    if left:
        return LeftBehind(f"{', '.join(left)} could not be taken back, and the journal cannot be "
                          f"written: {why}")  # fmt: skip
    return Interrupted(f"the journal cannot be written: {why}; everything was taken back",
                       hint="nothing is injected without its receipt on disk")  # fmt: skip


def is_of_the_disk(error: BaseException) -> bool:
    return isinstance(error, OSError) and error.errno in _OF_THE_DISK


def unwritten(error: BaseException) -> BaseException:
    """A disk that takes nothing, in words; anything else as it is."""
    if not is_of_the_disk(error):
        return error
    return Interrupted(f"the run directory cannot be written: {error}; nothing was left behind",
                       hint="free some space, or use --reports")  # fmt: skip


def not_begun(error: OSError) -> BaseException:
    """A run directory that cannot even be made."""
    if is_of_the_disk(error):
        return unwritten(error)
    return UsageError(f"the run directory cannot be made: {error}",
                      hint="--reports says where run directories go")  # fmt: skip
