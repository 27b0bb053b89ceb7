"""log.jsonl: what our own loggers say, one JSON object a line, without secrets."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from harness.record.redaction import Secrets, redacted


@contextmanager
def logging_to(path: Path, secrets: Secrets = ()) -> Iterator[None]:
    """Everything that the harness logs, from level INFO, for as long as the block lasts."""
    handler = _File(path)
    handler.setFormatter(_Lines(secrets))
    root = logging.getLogger("harness")
    root.addHandler(handler)
    root.setLevel(logging.INFO)
    try:
        yield
    finally:
        root.removeHandler(handler)
        handler.close()


class _File(logging.FileHandler):
    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802  its name in logging
        """A full disk is told by the run itself, not by a traceback for each line."""


class _Lines(logging.Formatter):
    def __init__(self, secrets: Secrets) -> None:
        super().__init__()
        self._secrets = secrets

    def format(self, record: logging.LogRecord) -> str:
        line = {
            "at": self.formatTime(record),
            "level": record.levelname,
            "from": record.name,
            "says": super().format(record),  # with the traceback, when there is one
        }
        return json.dumps(redacted(line, self._secrets))
