"""What a program needs besides itself: shared libraries, and the links on the way to them."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterable
from pathlib import Path

_LIBRARY = re.compile(r"(/\S+) \(0x")
_LEFT_OUT = {
    "__pycache__", "test", "tests", "idlelib", "tkinter", "turtledemo", "ensurepip", "lib2to3",
    "site-packages", "dist-packages", "include",
}  # fmt: skip


def programs(*paths: str | Path) -> dict[str, Path | str]:
    """These files at their own places, with the libraries and links that they need."""
    found: dict[str, Path | str] = {}
    for path in paths:
        _follow(Path(path), found)
    return found | libraries(found.values())


def libraries(files: Iterable[Path | str], own: Path | None = None) -> dict[str, Path | str]:
    """The shared libraries of those files that are programs; those below `own` travel anyway."""
    binaries = [str(f) for f in files if isinstance(f, Path) and _is_elf(f)]
    if not binaries:
        return {}
    told = subprocess.run(["ldd", *binaries], capture_output=True, text=True, check=False)
    found: dict[str, Path | str] = {}
    for path in sorted(set(_LIBRARY.findall(told.stdout))):
        if own is None or not Path(path).resolve().is_relative_to(own):
            _follow(Path(path), found)
    return found


def tree(source: Path, target: str) -> dict[str, Path | str]:
    """All files below a folder, but for tests, caches and headers."""
    found: dict[str, Path | str] = {}
    for folder, folders, names in os.walk(source):
        folders[:] = [n for n in folders if n not in _LEFT_OUT and not n.startswith("config-")]
        for name in names:
            path = Path(folder, name)
            if path.suffix not in (".a", ".pyc"):
                found[f"{target}/{path.relative_to(source)}"] = path
    return found


def _follow(path: Path, found: dict[str, Path | str]) -> None:
    """The file, and each link on the way to it. /lib is /usr/lib in every image."""
    place = Path(os.path.realpath(path.parent), path.name)
    found[str(place)] = place
    if place.is_symlink():
        _follow(place.parent / place.readlink(), found)


def _is_elf(path: Path) -> bool:
    if path.is_symlink() or not path.is_file():
        return False
    with path.open("rb") as file:
        return file.read(4) == b"\x7fELF"
