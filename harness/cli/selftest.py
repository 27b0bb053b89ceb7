"""`harness selftest`: does anything stay behind on this machine, whoever is killed and whenever?"""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from harness.errors import Exit, UsageError
from harness.experiment.problems import nearest

if TYPE_CHECKING:
    from harness.selftest.report import Report

_FORMATS = ("console", "json")


def _checked(
    context: click.Context, option: click.Parameter, texts: tuple[str, ...]
) -> tuple[str, ...]:
    for text in texts:
        name, _, path = text.partition("=")
        if name not in _FORMATS:
            raise UsageError(f"--output {text}: one of {', '.join(_FORMATS)}")
        if not Path(path or ".").absolute().parent.is_dir():
            raise UsageError(f"--output {text}: there is no directory {Path(path).parent}")
    return texts


@click.command()
@click.option(
    "--quick/--full",
    default=True,
    help="A sample with every fault, step and victim, about 3 minutes; or every fault at every "
    "step with every victim, an hour or two of two cores.  [default: quick]",
)
@click.option("--fault", "kinds", multiple=True, metavar="KIND", help="Only this; repeatable.")
@click.option("--seed", type=int, help="Seed of the sample; printed.  [default: random]")
@click.option("--at-once", type=click.IntRange(1, 32), help="Runs at once.  [default: 3 a core]")
@click.option(
    "--toxiproxy",
    metavar="URL",
    default="",
    help="A Toxiproxy that is running: dependency.* is shot at there, too.",
)
@click.option(
    "--resume",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Go on after an interrupt, from the JSON report that it left.",
)
@click.option(
    "--output",
    "outputs",
    multiple=True,
    metavar="FORMAT[=PATH]",
    callback=_checked,
    help="console, json; repeatable, `-` for stdout.  [default: console]",
)
def selftest(
    quick: bool, kinds: tuple[str, ...], seed: int | None, at_once: int | None,
    toxiproxy: str, resume: Path | None, outputs: tuple[str, ...],
) -> None:  # fmt: skip
    """Kill everybody at every step of every fault, and look for what is left.

    Each kill has a run and a small system of its own. Exits 5 when anything was left behind, 6 when
    some step could not be reached.

    \b
    harness selftest
    harness selftest --full --output json=all.json
    harness selftest --full --output json=all.json --resume all.json
    """  # noqa: D301  click's mark is a real backspace
    from harness.selftest.conduct import Asked, conduct
    from harness.selftest.progress import Counting

    before = _before(resume) if resume else None
    seed = before.seed if before else secrets.randbelow(2**31) if seed is None else seed
    click.echo(f"seed {seed}", err=True)
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # as Ctrl-C: nothing stays of us
    with _home() as home:
        at_once = at_once or 3 * (os.cpu_count() or 1)
        asked = Asked(_known(kinds), not quick, seed, at_once, home, before, toxiproxy)
        report = conduct(asked, Counting(sys.stderr))
        kept = report.exit_status is Exit.LEFT_BEHIND
        home.rename(home.with_name(f"{home.name}-left")) if kept else None
    _write(report, outputs or ("console",))
    if kept:
        click.echo(f"the runs that left something are in {home}-left", err=True)
    sys.exit(report.exit_status)


@contextmanager
def _home() -> Iterator[Path]:
    """Short, because a socket's path must be; gone afterwards."""
    home = Path(tempfile.mkdtemp(prefix="harness-selftest-"))
    try:
        yield home
    finally:
        shutil.rmtree(home, ignore_errors=True)


def _before(path: Path) -> Report:
    from harness.selftest.report import from_json

    try:
        return from_json(path.read_text(encoding="utf-8"))
    except ValueError:
        raise UsageError(f"--resume {path}: this is no report of a selftest") from None


def _known(kinds: tuple[str, ...]) -> tuple[str, ...]:
    from harness.faults import registry

    for kind in kinds:
        if kind not in registry.names():
            near = nearest(kind, registry.names())
            hint = f"did you mean {near}?" if near else "harness list faults"
            raise UsageError(f"there is no fault {kind!r}", hint=hint)
    return kinds or registry.names()


def _write(report: Report, outputs: tuple[str, ...]) -> None:
    from harness.selftest.report import as_json, as_text

    for output in outputs:
        name, _, path = output.partition("=")
        render = as_json if name == "json" else as_text
        if path in ("", "-"):
            render(report, sys.stdout)
        else:
            with Path(path).open("w", encoding="utf-8") as out:
                render(report, out)
