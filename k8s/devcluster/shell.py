"""Running commands, and small files."""

from __future__ import annotations

import subprocess
from pathlib import Path

from devcluster.layout import Failed


def run(*command: str, timeout_s: float = 60) -> str:
    """What the command prints. Raises `Failed` with its words when it fails."""
    done = attempt(*command, timeout_s=timeout_s)
    if done.returncode:
        raise Failed(f"{' '.join(command)}: {(done.stderr or done.stdout).strip()}")
    return done.stdout


def attempt(*command: str, timeout_s: float = 60) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=timeout_s)


def write(path: Path, text: str, mode: int = 0o644) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    path.chmod(mode)
    return path


def read(path: Path) -> str:
    """Its text without the newline, or nothing if there is no such file."""
    try:
        return path.read_text(encoding="utf-8").strip()
    except OSError:
        return ""
