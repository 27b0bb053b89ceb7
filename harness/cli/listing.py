"""`harness list`: what there is. One thing a line, so that it can be piped."""

from __future__ import annotations

from pathlib import Path

import click

from harness.errors import UsageError

_KINDS = ("faults", "substrates", "reports", "experiments")


@click.command(name="list")
@click.argument("kind", type=click.Choice(_KINDS))
@click.argument("directory", type=click.Path(path_type=Path), required=False)
@click.option("-l", "--selector", default="", help="Of experiments: with these labels (tier=pr).")
def listing(kind: str, directory: Path | None, selector: str) -> None:
    """List faults, substrates, reports or experiments.

    \b
    harness list faults
    harness list experiments experiments/ -l tier=pr
    harness list reports reports/
    """  # noqa: D301  click's mark is a real backspace
    if kind in ("faults", "substrates") and directory is not None:
        raise UsageError(f"list {kind} takes no directory")
    lines = {"faults": _faults, "substrates": _substrates}.get(kind)
    if lines is not None:
        found = lines()
    elif kind == "reports":
        found = _reports(directory or Path("reports"))
    else:
        found = [
            _described(path) for path in experiments_in(directory or Path("experiments"), selector)
        ]
    for line in found:
        click.echo(line)


def _faults() -> list[str]:
    from harness.cli.fault_page import faults, summary

    return [f"{fault.kind:22} {summary(fault)}" for fault in faults()]


def _substrates() -> list[str]:
    from harness.substrates import registry

    return list(registry.NAMES)


def _reports(directory: Path) -> list[str]:
    """Run directories with their verdicts, the newest first."""
    if not directory.is_dir():
        raise UsageError(f"there is no directory {directory}")
    found = (path.parent for path in directory.glob("*/plan.json"))
    runs = sorted((path for path in found if not path.is_symlink()), reverse=True)
    return [f"{_verdict(run):13} {run}" for run in runs]


def _verdict(run: Path) -> str:
    import json

    try:
        return str(json.loads((run / "report.json").read_text())["verdict"])
    except (OSError, ValueError, KeyError, TypeError):
        return "no report"


def _described(path: Path) -> str:
    name, labels = _identity(path)
    written = ",".join(f"{key}={value}" for key, value in labels.items())
    return f"{path}  {name}" + (f"  {written}" if written else "")


def experiments_in(directory: Path, selector: str = "") -> list[Path]:
    """The Experiment files directly in a directory, sorted, with these labels.

    A file counts when it says `kind: Experiment`, or cannot be read as YAML: running it will say
    what is wrong, where leaving it out would hide it.
    """
    if not directory.is_dir():
        raise UsageError(
            f"there is no directory {directory}", hint="harness list experiments DIRECTORY"
        )
    wanted = _selector(selector)
    files = sorted(p for p in directory.iterdir() if p.suffix in (".yaml", ".yml") and p.is_file())
    return [path for path in files if _is_experiment(path) and _matches(path, wanted)]


def _selector(text: str) -> list[tuple[str, str, bool]]:
    """`tier=pr,team!=x` as (label, value, equal)."""
    found = []
    for term in filter(None, (part.strip() for part in text.split(","))):
        name, operator, value = term.partition("!=")
        if not operator:
            name, operator, value = term.replace("==", "=").partition("=")
        if not operator or not name.strip():
            hint = "for example tier=pr,team!=payments"
            raise UsageError(f"-l {text}: {term!r} is not label=value", hint=hint)
        found.append((name.strip(), value.strip(), "!=" not in term))
    return found


def _matches(path: Path, wanted: list[tuple[str, str, bool]]) -> bool:
    labels = _identity(path)[1] if wanted else {}
    return all((labels.get(name) == value) is equal for name, value, equal in wanted)


def _top(path: Path) -> dict[str, object] | None:
    """The file as plain data, None when it is no YAML mapping; what is wrong is not said here."""
    from harness.experiment.documents import open_tree
    from harness.experiment.fields import plain_data
    from harness.experiment.problems import Problems

    tree = open_tree(path, Problems())
    data = plain_data(tree) if tree else None
    return data if isinstance(data, dict) else None


def _is_experiment(path: Path) -> bool:
    data = _top(path)
    return data is None or data.get("kind") == "Experiment"


def _identity(path: Path) -> tuple[str, dict[str, str]]:
    """Name and labels."""
    data = _top(path) or {}
    metadata = data.get("metadata")
    if not isinstance(metadata, dict):
        return "?", {}
    labels = metadata.get("labels")
    pairs = labels.items() if isinstance(labels, dict) else ()
    return str(metadata.get("name", "?")), {str(k): str(v) for k, v in pairs}
