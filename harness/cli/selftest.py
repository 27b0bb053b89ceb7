"""`harness selftest`: does anything stay behind, whoever is killed and whenever?"""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import sys
import tempfile
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from harness.errors import Exit, UsageError
from harness.experiment.problems import nearest

if TYPE_CHECKING:
    from harness.experiment.system_model import Cluster
    from harness.selftest.ground import Ground
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
    "step with every victim, some 80 a minute on two cores.  [default: quick]",
)
@click.option("--fault", "kinds", multiple=True, metavar="KIND", help="Only this; repeatable.")
@click.option("--victim", "victims", multiple=True, metavar="NAME", help="Only this; repeatable.")
@click.option("--seed", type=int, help="Seed of the sample; printed.  [default: random]")
@click.option(
    "--at-once",
    type=click.IntRange(1, 32),
    help="Runs at once.  [default: 3 a core; on a cluster one on each node]",
)
@click.option(
    "--toxiproxy",
    metavar="URL",
    default="",
    help="A Toxiproxy that is running: dependency.* is shot at there, too.",
)
@click.option(
    "--system",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    metavar="FILE",
    help="On the cluster of this system, whose own namespace is left alone.",
)
@click.option(
    "--kubeconfig",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    metavar="FILE",
    help="On this cluster.",
)
@click.option(
    "--namespace",
    default="harness-selftest",
    show_default=True,
    help="On a cluster: NAME-1, NAME-2 ... are made for it, and removed.",
)
@click.option(
    "--image",
    help="On a cluster: of the pods that are shot at; it has Python.  [default: that of agents]",
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
    quick: bool, kinds: tuple[str, ...], victims: tuple[str, ...], seed: int | None,
    at_once: int | None, toxiproxy: str, system: Path | None, kubeconfig: Path | None,
    namespace: str, image: str | None, resume: Path | None, outputs: tuple[str, ...],
) -> None:  # fmt: skip
    """Kill everybody at every step of every fault, and look for what is left: on this machine, or
    (--system, --kubeconfig) on a cluster.

    Each kill has a run and a small system of its own. Exits 5 when anything was left behind, 6 when
    some step could not be reached.

    \b
    harness selftest
    harness selftest --full --output json=all.json
    harness selftest --full --output json=all.json --resume all.json
    harness selftest --system system-kubernetes.yaml
    """  # noqa: D301  click's mark is a real backspace
    from harness.selftest.conduct import Asked, conduct
    from harness.selftest.progress import Counting

    before = _before(resume) if resume else None
    seed = before.seed if before else secrets.randbelow(2**31) if seed is None else seed
    click.echo(f"seed {seed}", err=True)
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # as Ctrl-C: nothing stays of us
    _check(toxiproxy)
    cluster = _cluster(system, kubeconfig, namespace)
    only = _only(kinds, victims)
    with _home() as home, _ground(cluster, image, toxiproxy, home, at_once) as ground:
        at_once = ground.at_once or at_once or 3 * (os.cpu_count() or 1)
        asked = Asked(*only, not quick, seed, at_once, home, before)
        report = conduct(asked, ground, Counting(sys.stderr))
        kept = report.exit_status is Exit.LEFT_BEHIND
        home.rename(home.with_name(f"{home.name}-left")) if kept else None
        _write(report, outputs or ("console",))  # also if what was made is not to be removed
    if kept:
        click.echo(f"the runs that left something are in {home}-left", err=True)
    sys.exit(report.exit_status)


def _cluster(system: Path | None, kubeconfig: Path | None, namespace: str) -> Cluster | None:
    """Where it is to be: none is this machine."""
    if not system and not kubeconfig:
        return None
    from harness.experiment.system_file import load_system
    from harness.experiment.system_model import Cluster

    if kubeconfig:
        os.environ["HARNESS_KUBECONFIG"] = str(kubeconfig.absolute())
    found = load_system(system).cluster if system else Cluster(namespace)
    if found is None:
        raise UsageError(f"{system} is not on a cluster", hint="harness selftest alone is for here")
    return replace(found, namespace=namespace)


def _ground(
    cluster: Cluster | None, image: str | None, toxiproxy: str, home: Path, at_once: int | None
) -> AbstractContextManager[Ground]:
    if cluster is None:
        from harness.selftest.here import Here

        return nullcontext(Here(toxiproxy))
    from harness.selftest.cluster.ground import on_cluster

    return on_cluster(cluster, image or cluster.agent.image, home, at_once)


@contextmanager
def _home() -> Iterator[Path]:
    """Short, because a socket's path must be; gone afterwards."""
    home = Path(tempfile.mkdtemp(prefix="harness-selftest-"))
    try:
        yield home
    finally:
        shutil.rmtree(home, ignore_errors=True)


def _check(toxiproxy: str) -> None:
    from harness.substrates.attached.behind import unusable

    if toxiproxy and (why := unusable(toxiproxy)):
        raise UsageError(f"--toxiproxy: {why}", hint="it has to run already: toxiproxy-server")


def _before(path: Path) -> Report:
    from harness.selftest.report import from_json

    try:
        return from_json(path.read_text(encoding="utf-8"))
    except ValueError:
        raise UsageError(f"--resume {path}: this is no report of a selftest") from None


def _only(
    kinds: tuple[str, ...], victims: tuple[str, ...]
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Faults (all, where none is named), and victims. Raises `UsageError` for unknown ones."""
    from harness.faults import registry
    from harness.selftest.victims import NAMES

    _check_known("fault", kinds, registry.names(), "harness list faults")
    _check_known("victim", victims, NAMES, f"one of {', '.join(NAMES)}")
    return kinds or registry.names(), victims


def _check_known(what: str, named: tuple[str, ...], known: tuple[str, ...], hint: str) -> None:
    for name in named:
        if name not in known:
            near = nearest(name, known)
            raise UsageError(
                f"there is no {what} {name!r}", hint=f"did you mean {near}?" if near else hint
            )


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
