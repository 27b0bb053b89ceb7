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
    handler = logging.FileHandler(path)
    handler.setFormatter(_Lines(secrets))
    root = logging.getLogger("harness")
    root.addHandler(handler)
    root.setLevel(logging.INFO)
    try:
        yield
    finally:
        root.removeHandler(handler)
        handler.close()


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
