"""A layer: which file of this machine stands where in the image."""

from __future__ import annotations

import hashlib
import io
import stat
import tarfile
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

# Every image has merged directories, as Debian has.
_MERGED = ("bin", "sbin", "lib", "lib64")


@dataclass(frozen=True)
class Layer:
    """`files`: path in the image, and a file here or its text. `links`: path, and where to."""

    files: dict[str, Path | str]
    links: dict[str, str]

    def key(self) -> str:
        """Changes when anything in it does; cheap, the files are not read."""
        digest = hashlib.sha256()
        for path, source in sorted(self.files.items()):
            digest.update(f"{path} {_fingerprint(source)}\n".encode())
        digest.update(repr(sorted(self.links.items())).encode())
        return digest.hexdigest()

    def tar(self) -> bytes:
        """The same bytes for the same content, so that images share it."""
        out = io.BytesIO()
        with tarfile.open(fileobj=out, mode="w", format=tarfile.GNU_FORMAT) as archive:
            _add_folders(archive, [*self.files, *self.links])
            for path, source in sorted(self.files.items()):
                _add(archive, path, source)
            for path, target in sorted(self.links.items()):
                archive.addfile(_link(path, target))
        return out.getvalue()


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
    info = tarfile.TarInfo(path.lstrip("/"))
    if isinstance(source, str):
        content = source.encode()
        info.size, info.mode = len(content), 0o644
        archive.addfile(info, io.BytesIO(content))
    elif source.is_symlink():
        archive.addfile(_link(path, str(source.readlink())))
    else:
        info.mode = stat.S_IMODE(source.stat().st_mode) | 0o444
        content = source.read_bytes()
        info.size = len(content)
        archive.addfile(info, io.BytesIO(content))


def _link(path: str, target: str) -> tarfile.TarInfo:
    info = tarfile.TarInfo(path.lstrip("/"))
    info.type, info.linkname = tarfile.SYMTYPE, target
    return info
