"""`--output console|json|junit|markdown|html|github[=PATH]`, the same for every command.

stdout is the result. Without PATH, or with `-`, a report goes there; a whole document (JSON, JUnit,
HTML) has stdout to itself. Besides, every run leaves JSON, JUnit and HTML in its directory.
"""

from __future__ import annotations

import difflib
import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

import click

from harness.errors import UsageError
from harness.report import registry

if TYPE_CHECKING:
    from harness.report.record import Record

#: Left in each run directory, whatever was asked for.
LEFT = ("json", "junit", "html")


@dataclass(frozen=True)
class Output:
    """`path` None is stdout."""

    format: str
    path: Path | None = None


def _checked(_: click.Context, __: click.Parameter, texts: tuple[str, ...]) -> tuple[str, ...]:
    parse_outputs(texts)  # before the run, not after it
    return texts


output_option = click.option(
    "--output",
    "outputs",
    multiple=True,
    metavar="FORMAT[=PATH]",
    callback=_checked,
    help=f"{', '.join(registry.NAMES)}; repeatable, `-` for stdout.  [default: console]",
)


def parse_outputs(texts: tuple[str, ...]) -> tuple[Output, ...]:
    """What was asked for; raises `UsageError`."""
    outputs = tuple(_parsed(text) for text in texts) or (Output("console"),)
    on_stdout = [o.format for o in outputs if o.path is None]
    document = next((name for name in on_stdout if name in registry.DOCUMENTS), "")
    if document and len(on_stdout) > 1:
        raise UsageError(
            f"--output {document} needs stdout for itself, and {len(on_stdout)} reports go there",
            hint=f"give it a file: --output {document}={registry.find(document).FILE}",
        )
    return outputs


def _parsed(text: str) -> Output:
    name, given, path = text.partition("=")
    if name not in registry.NAMES:
        raise UsageError(f"--output {text}: there is no report {name!r}", hint=_instead(name))
    if given and not path:
        raise UsageError(f"--output {text}: the path is empty")
    if not given or path == "-":
        return Output(name)
    if not Path(path).absolute().parent.is_dir():
        raise UsageError(f"--output {text}: there is no directory {Path(path).parent}")
    return Output(name, Path(path))


def _instead(name: str) -> str:
    near = difflib.get_close_matches(name, registry.NAMES, 1)
    return f"did you mean {near[0]}?" if near else f"one of: {', '.join(registry.NAMES)}"


def write_outputs(record: Record, directory: Path, outputs: tuple[str, ...]) -> None:
    """First what every run leaves in its directory, then what was asked for."""
    for name in LEFT:
        try:
            _write(record, name, directory / registry.find(name).FILE)
        except UsageError as error:  # the verdict must not be lost with it
            click.echo(f"warning: {error}", err=True)
    for output in parse_outputs(outputs):
        if output.path is None:
            registry.find(output.format).render(record, _utf8(sys.stdout))
            sys.stdout.flush()
        else:
            _write(record, output.format, output.path)


def _utf8(stream: TextIO) -> TextIO:
    """An ASCII locale must not end a run in an encoding error."""
    if hasattr(stream, "reconfigure"):
        stream.reconfigure(errors="replace")
    return stream


def _write(record: Record, name: str, path: Path) -> None:
    """Whole or not at all: a reader never sees half a report."""
    draft = path.with_name(f".{path.name}.{os.getpid()}.new")
    try:
        with draft.open("w", encoding="utf-8") as out:
            registry.find(name).render(record, out)
        draft.replace(path)
    except OSError as error:
        draft.unlink(missing_ok=True)
        raise UsageError(f"the {name} report cannot be written: {error}") from error
