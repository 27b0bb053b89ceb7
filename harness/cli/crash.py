"""Keeps the traceback of an internal error out of a person's way, and where it can be found."""

from __future__ import annotations

import os
import sys
import traceback
from pathlib import Path


def keep_traceback(error: Exception) -> Path | None:
    """Write the last internal error to the state directory; None when that cannot be done."""
    home = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    path = Path(home) / "harness" / "last-error.log"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        lines = traceback.format_exception(error)
        path.write_text(f"{sys.argv}\n{''.join(lines)}", encoding="utf-8")
    except (OSError, RuntimeError):
        return None
    return path
