"""A layer: which file of this machine stands where in the image.

Python's modules bring their bytecode along: a pod that compiles them anew takes a second of a
processor each time that it starts.
"""

from __future__ import annotations

import hashlib
import io
import marshal
import stat
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.machinery import SourceFileLoader
from importlib.util import MAGIC_NUMBER, cache_from_source, source_hash
from pathlib import Path, PurePosixPath

#: Changes with what `tar` makes of the same files.
_FORM = "3"
# Every image has merged directories, as Debian has.
_MERGED = ("bin", "sbin", "lib", "lib64")


@dataclass(frozen=True)
class Layer:
    """`files`: path in the image, and a file here or its text. `links`: path, and where to."""

    files: dict[str, Path | str]
    links: dict[str, str]

    def key(self) -> str:
        """Changes when anything in it does; cheap, the files are not read."""
        digest = hashlib.sha256(_FORM.encode())
        for path, source in sorted(self.files.items()):
            digest.update(f"{path} {_fingerprint(source)}\n".encode())
        digest.update(repr(sorted(self.links.items())).encode())
        return digest.hexdigest()

    def tar(self) -> bytes:
        """The same bytes for the same content, so that images share it."""
        out, bytecode = io.BytesIO(), dict(_bytecode(self.files))
        with tarfile.open(fileobj=out, mode="w", format=tarfile.GNU_FORMAT) as archive:
            _add_folders(archive, [*self.files, *bytecode, *self.links])
            for path, source in sorted(self.files.items()):
                _add(archive, path, source)
            for path, content in sorted(bytecode.items()):
                _add_content(archive, path, content)
            for path, target in sorted(self.links.items()):
                archive.addfile(_link(path, target))
        return out.getvalue()


def _bytecode(files: dict[str, Path | str]) -> Iterator[tuple[str, bytes]]:
    """Of those modules that compile."""
    for path, source in files.items():
        if isinstance(source, Path) and path.endswith(".py") and (code := _compiled(source)):
            yield cache_from_source(path), code


def _compiled(source: Path) -> bytes:
    """As a .pyc that is never compared with its source (PEP 552): files of an image have no times.
    Empty: a syntax error. From this machine's own cache where that is good, for it takes long."""
    try:
        code = SourceFileLoader("module", str(source)).get_code("module")
    except SyntaxError:
        return b""
    mark = MAGIC_NUMBER + (1).to_bytes(4, "little")
    return mark + source_hash(source.read_bytes()) + marshal.dumps(code)


def _fingerprint(source: Path | str) -> str:
    if isinstance(source, str):
        return source
    seen = source.lstat()
    return f"{source} {seen.st_size} {seen.st_mtime_ns}"


def _add_folders(archive: tarfile.TarFile, paths: list[str]) -> None:
    above = {str(parent) for path in paths for parent in PurePosixPath(path).parents}
    above |= {f"/usr/{name}" for name in _MERGED} | {"/usr", "/tmp"}
    for folder in sorted(above - {"/"}):
        info = tarfile.TarInfo(folder.lstrip("/"))
        info.type, info.mode = tarfile.DIRTYPE, 0o1777 if folder == "/tmp" else 0o755
        archive.addfile(info)
    for name in _MERGED:
        archive.addfile(_link(name, f"usr/{name}"))


def _add(archive: tarfile.TarFile, path: str, source: Path | str) -> None:
    if isinstance(source, str):
        _add_content(archive, path, source.encode())
    elif source.is_symlink():
        archive.addfile(_link(path, str(source.readlink())))
    else:
        mode = stat.S_IMODE(source.stat().st_mode) | 0o444
        _add_content(archive, path, source.read_bytes(), mode)


def _add_content(archive: tarfile.TarFile, path: str, content: bytes, mode: int = 0o644) -> None:
    info = tarfile.TarInfo(path.lstrip("/"))
    info.size, info.mode = len(content), mode
    archive.addfile(info, io.BytesIO(content))


def _link(path: str, target: str) -> tarfile.TarInfo:
    info = tarfile.TarInfo(path.lstrip("/"))
    info.type, info.linkname = tarfile.SYMTYPE, target
    return info
