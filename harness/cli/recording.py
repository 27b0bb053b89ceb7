"""`harness recording`: the requests of a run one by one, chosen, and in formats of other tools."""

from __future__ import annotations

import heapq
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import click
import numpy as np
from numpy.typing import NDArray

from harness.cli.report import find_run
from harness.errors import UsageError
from harness.experiment.problems import nearest
from harness.load import export
from harness.load.recording import ROW, Flag, Outcome, Rows
from harness.record.directory import RunDirectory

Mask = Callable[[Rows], NDArray[np.bool_]]

_CHOICES = (*export.OUTCOMES, "failed")


@click.command()
@click.argument("run", default="last")
@click.option("--name", help="Only requests of this name.")
@click.option("--outcome", type=click.Choice(_CHOICES), help="Only what ended so.")
@click.option("--window", help="Only a window, as reports call it: baseline, 'during slow-db'.")
@click.option(
    "--slowest", type=click.IntRange(1), metavar="N", help="The N slowest, slowest first."
)
@click.option("--journeys", is_flag=True, help="Whole tasks in place of requests.")
@click.option(
    "--output",
    "outputs",
    multiple=True,
    metavar="FORMAT[=PATH]",
    help=f"{', '.join(export.NAMES)}; repeatable, `-` for stdout.  [default: text]",
)
@click.option(
    "--reports",
    type=click.Path(path_type=Path),
    default=Path("reports"),
    show_default=True,
    help="Where run directories are.",
)
def recording(
    run: str, name: str | None, outcome: str | None, window: str | None, slowest: int | None,
    journeys: bool, outputs: tuple[str, ...], reports: Path,
) -> None:  # fmt: skip
    """Print the requests of RUN: a run directory, the id of a run, or `last`.

    \b
    harness recording last --outcome timeout --window 'during slow-db'
    harness recording last --slowest 20
    harness recording last --output parquet=requests.parquet --output hlog=latency.hlog

    By when they were due. What was never judged (on_start) is left out, and so is what the
    generator dropped, unless `--outcome dropped` asks for it.
    """  # noqa: D301 (click's mark for lines that stay as they are)
    asked = [_output(text) for text in outputs or ("text",)]
    directory = find_run(run, reports)
    taken = _taken(directory, _masks(directory, name, outcome, window, journeys=journeys))
    taken = _slowest(taken, slowest) if slowest else taken
    for format, path in asked:
        _write(taken, format, path)


# ---------------------------------------------------------------- which


def _taken(directory: RunDirectory, masks: list[Mask]) -> export.Taken:
    from harness.load.reading import stored

    store, names = stored(directory.path)

    def parts() -> Iterator[Rows]:
        for rows in store.in_order():
            yield rows[np.logical_and.reduce([mask(rows) for mask in masks])]

    return export.Taken(parts, names, directory.facts().epoch, directory.plan().run_id)


def _masks(
    directory: RunDirectory, name: str | None, outcome: str | None, window: str | None, *,
    journeys: bool,
) -> list[Mask]:  # fmt: skip
    dropped = outcome == "dropped"
    masks = [_outcome(outcome)] if dropped else [_judged(journeys), _outcome(outcome)]
    if name is not None:
        masks.append(_name(directory, name))
    return [*masks, _window(directory, window)] if window is not None else masks


def _judged(journeys: bool) -> Mask:
    kind = Flag.JOURNEY if journeys else 0
    both = Flag.JOURNEY | Flag.UNJUDGED
    return lambda rows: (rows["flags"] & both == kind) & (rows["outcome"] != Outcome.DROPPED)


def _outcome(outcome: str | None) -> Mask:
    if outcome is None:
        return lambda rows: np.ones(len(rows), bool)
    if outcome == "failed":
        return lambda rows: rows["outcome"] != Outcome.OK
    return lambda rows: rows["outcome"] == export.OUTCOMES.index(outcome)


def _name(directory: RunDirectory, name: str) -> Mask:
    from harness.load.reading import stored

    _, names = stored(directory.path)
    if name not in names:
        near = nearest(name, names)
        hint = f"did you mean {near}?" if near else f"there are: {', '.join(names[:8]) or 'none'}"
        raise UsageError(f"no request is called {name!r}", hint=hint)
    return lambda rows: rows["name"] == names.index(name)


def _window(directory: RunDirectory, name: str) -> Mask:
    from harness.measure.evidence import gather
    from harness.measure.requests import Part

    windows = gather(directory).windows
    known = {window.name: window for window in (*windows.all, windows.whole)}
    if name not in known:
        raise UsageError(f"there is no window {name!r}", hint=f"there are: {', '.join(known)}")
    box, mono_ns = known[name].box, directory.facts().epoch.mono_ns
    return lambda rows: box.mask(Part(rows, mono_ns, 0))


def _slowest(taken: export.Taken, count: int) -> export.Taken:
    """The slowest of all parts, never holding more than those and one part."""
    found: list[tuple[int, int, bytes]] = []
    for rows in taken.parts():
        took = rows["ended"] - rows["intended"]
        for place in np.argsort(-took, kind="stable")[:count]:
            row = rows[place]
            found.append((int(took[place]), -int(row["intended"]), row.tobytes()))
        found = heapq.nlargest(count, found)
    slowest = np.frombuffer(b"".join(row for _, _, row in found), ROW)
    return replace(taken, parts=lambda: iter([slowest]))


# ---------------------------------------------------------------- where to


def _output(text: str) -> tuple[str, Path | None]:
    """Checked before anything is read."""
    format, given, path = text.partition("=")
    if format not in export.NAMES:
        near = nearest(format, export.NAMES)
        hint = f"did you mean {near}?" if near else f"one of: {', '.join(export.NAMES)}"
        raise UsageError(f"--output {text}: there is no format {format!r}", hint=hint)
    if given and not path:
        raise UsageError(f"--output {text}: the path is empty")
    if path in ("", "-"):
        if format == "parquet" and sys.stdout.isatty():
            raise UsageError("Parquet is nothing for a terminal", hint="--output parquet=PATH")
        return format, None
    if not Path(path).absolute().parent.is_dir():
        raise UsageError(f"--output {text}: there is no directory {Path(path).parent}")
    return format, Path(path)


def _write(taken: export.Taken, format: str, path: Path | None) -> None:
    writer = export.find(format)
    if path is None:
        writer.write(taken, sys.stdout.buffer)
        sys.stdout.flush()
        return
    draft = path.with_name(f".{path.name}.new")
    try:
        with draft.open("wb") as out:
            writer.write(taken, out)
        draft.replace(path)
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {error}") from error
    finally:
        draft.unlink(missing_ok=True)
