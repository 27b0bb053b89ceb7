"""`harness --version`: what a bug report needs, without importing any of it."""

from __future__ import annotations

import platform
from importlib.metadata import PackageNotFoundError, version

from harness import __version__

#: Their versions change what a run does.
_MATTER = ("locust", "kubernetes", "toxiproxy-python")


def version_text() -> str:
    system = f"{platform.system()} {platform.release()} ({platform.machine()})"
    lines = [f"harness {__version__}", f"Python {platform.python_version()} on {system}"]
    return "\n".join([*lines, *(f"{name} {_version(name)}" for name in _MATTER)])


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "not installed"
