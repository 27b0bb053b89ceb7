"""The agent's code as it travels: one zip of `harness.agent` and `harness.mechanisms`.

The container needs nothing but Python 3.9. `BOOTSTRAP` reads the zip from its stdin into memory
that a file name leads to, so that children of the agent find it too and nothing stays on a disk.
Where its Python is of our version it need not compile: bytecode comes first, then the source.
"""

from __future__ import annotations

import io
import marshal
import os
import zipfile
from collections.abc import Iterator
from functools import cache
from importlib.machinery import SourceFileLoader
from importlib.resources import files
from importlib.util import MAGIC_NUMBER, source_hash
from pathlib import Path

from harness.agent.stepping import LISTENER
from harness.substrates.kubernetes.manifest import PIDS

#: Where a selftest listens in an agent's container, if it can reach into that.
STEPS = "/dev/shm/harness-steps"  # noqa: S108  a file of the container
_PACKAGES = ("agent", "mechanisms")

#: Takes the size of the zip and the arguments of the agent; says `ready` when it has read it all.
BOOTSTRAP = """
import os, sys
size = int(sys.argv[1])
code = os.memfd_create("harness-agent", 0)
while size:
    data = os.read(0, min(size, 65536))
    if not data:
        sys.exit("the code of the agent did not arrive")
    os.write(code, data)
    size -= len(data)
with open("PIDS", "a") as pids:
    pids.write("%d " % os.getpid())
place = "/proc/%d/fd/%d" % (os.getpid(), code)
os.environ["PYTHONPATH"] = place
sys.path.insert(0, place)
sys.argv[1:] = sys.argv[2:]
from harness.agent.main import main
sys.exit(main())
""".replace("PIDS", PIDS)


@cache
def code() -> bytes:
    """The same bytes for the same code."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(zipfile.ZipInfo("harness/__init__.py"), "")
        for package in _PACKAGES:
            for name, text in _modules(Path(str(files(f"harness.{package}"))), package):
                archive.writestr(zipfile.ZipInfo(name), text, zipfile.ZIP_DEFLATED)
    return out.getvalue()


def command(
    lease_s: float, halted_by: tuple[str, ...] = (), *, inside: bool = False
) -> tuple[str, ...]:
    """What is executed in the container; `code()` is the first that its stdin gets. `halted_by`:
    the namespaces whose red button ends it; `inside`: it is a container of its target."""
    watched = (word for namespace in halted_by for word in ("--halted-by", namespace))
    steps = ("--steps", STEPS) if os.environ.get(LISTENER) else ()
    own = ("--lease", f"{lease_s:g}", "--inside" if inside else "--in-pod", *steps, *watched)
    return ("python3", "-c", BOOTSTRAP, str(len(code())), *own)


def _modules(folder: Path, package: str) -> Iterator[tuple[str, bytes]]:
    for path in sorted(folder.rglob("*.py")):
        name, text = f"harness/{package}/{path.relative_to(folder)}", path.read_bytes()
        yield f"{name}c", _bytecode(path, text)
        yield name, text


def _bytecode(path: Path, text: bytes) -> bytes:
    """As a .pyc that is never compared with its source (PEP 552)."""
    code = SourceFileLoader("module", str(path)).get_code("module")
    return MAGIC_NUMBER + (1).to_bytes(4, "little") + source_hash(text) + marshal.dumps(code)
