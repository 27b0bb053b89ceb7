"""Installed Python distributions, as files of an image."""

from __future__ import annotations

import re
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path

from devcluster.images.closure import libraries

SITE = "/opt/harness/site"
_NAME = re.compile(r"[A-Za-z0-9._-]+")
_LEFT_OUT = ("/include/", "/__pycache__/", "/tests/", "/share/doc/", "/share/man/")


def files(*names: str) -> dict[str, Path | str]:
    """These and all that they require. Raises `PackageNotFoundError` when one is missing."""
    known = {name: distribution(name) for name in names}
    waiting = list(known.values())
    while waiting:
        for required in _required(waiting.pop()):
            if required.metadata["Name"] not in known:
                known[required.metadata["Name"]] = required
                waiting.append(required)
    found: dict[str, Path | str] = {}
    for found_distribution in known.values():
        found |= _files(found_distribution)
    site = Path(str(next(iter(known.values())).locate_file(""))).resolve()
    return found | libraries(list(found.values()), own=site)


def required_by(name: str) -> list[str]:
    """What an installed distribution needs itself, without extras."""
    return [required.metadata["Name"] for required in _required(distribution(name))]


def program(name: str, command: str) -> Path:
    """A program that a distribution brings in its scripts folder."""
    scripts = [f for f in distribution(name).files or () if f.name == command and ".." in f.parts]
    return Path(str(distribution(name).locate_file(scripts[0]))).resolve()


def _required(given: Distribution) -> list[Distribution]:
    """Extras are named by who wants them; what a marker excludes is not installed."""
    found = []
    for line in given.requires or ():
        match = _NAME.match(line)
        if match and "extra ==" not in line:
            try:
                found.append(distribution(match[0]))
            except PackageNotFoundError:
                continue
    return found


def _files(given: Distribution) -> dict[str, Path | str]:
    found: dict[str, Path | str] = {}
    for file in given.files or ():
        path = Path(str(given.locate_file(file)))
        wanted = ".." not in file.parts and not any(part in f"/{file}" for part in _LEFT_OUT)
        if wanted and path.suffix not in (".a", ".pyc") and path.exists():
            found[f"{SITE}/{file}"] = path
    return found
