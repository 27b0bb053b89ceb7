"""What a selftest came to: on a terminal of 80 columns, and as JSON."""

from __future__ import annotations

import json
import statistics
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, TextIO

from pydantic import TypeAdapter
from rich.console import Console
from rich.table import Table
from rich.text import Text

from harness.errors import Exit
from harness.selftest.judge import NOTHING, WENT_ON
from harness.selftest.results import Shot
from harness.selftest.steps import ORDER
from harness.selftest.victims import NAMES, SURVIVED

_WIDTH = 80
_DETAILS = 20

#: So many of the shots have to hit somebody.
_HIT_SHARE = 0.95


@dataclass(frozen=True)
class Report:
    """`not_offered`: fault and substrate, with the reason. `lease_s` is that of the runs, seconds;
    `took_s` the whole selftest; `deadline_s` when each fault was to be gone, from the strike.
    `notes` are of the ground."""

    seed: int
    lease_s: float
    took_s: float
    cells: int
    rehearsals: tuple[Shot, ...]
    shots: tuple[Shot, ...]
    not_offered: tuple[tuple[str, str, str], ...]
    interrupted: bool = False
    deadline_s: float = 0.0
    notes: tuple[str, ...] = ()

    @property
    def exit_status(self) -> Exit:
        """Something left outranks what could not be known."""
        everything = (*self.rehearsals, *self.shots)
        if any(shot.bad for shot in everything):
            return Exit.LEFT_BEHIND
        if self.interrupted:
            return Exit.INTERRUPTED
        return Exit.INVALID if self._knows_too_little else Exit.PASS

    @property
    def _knows_too_little(self) -> bool:
        """A shot may come too late for a victim that dies by itself; a rehearsal has no excuse."""
        shown = all(shot.hit for shot in self.rehearsals)
        return not shown or len(self.hits) < _HIT_SHARE * len(self.shots) or not self.hits

    @property
    def hits(self) -> tuple[Shot, ...]:
        return tuple(shot for shot in self.shots if shot.hit)

    @property
    def missed(self) -> tuple[Shot, ...]:
        """Nobody was hit: a step that was not reached this time, or whose victim had gone; or a
        rehearsal that did not show its fault."""
        return tuple(shot for shot in (*self.rehearsals, *self.shots) if not shot.hit)

    @property
    def longest_s(self) -> float:
        """Of all that were to end, in seconds."""
        return max(_times(self.hits), default=0.0)

    @property
    def late(self) -> tuple[Shot, ...]:
        """Whose fault was gone, but not in time."""
        return tuple(shot for shot in self.hits if max(_times([shot]), default=0) > self.deadline_s)


_REPORT = TypeAdapter(Report)


def as_json(report: Report, out: TextIO) -> None:
    data: dict[str, Any] = _REPORT.dump_python(report, mode="json")
    data |= {
        "kills": len(report.hits), "cells_hit": len(_cells(report.hits)),
        "left_behind": sum(bool(shot.left) for shot in report.shots),
        "longest_s": report.longest_s, "exit_status": int(report.exit_status),
    }  # fmt: skip
    json.dump(data, out, indent=1)
    out.write("\n")


def from_json(text: str) -> Report:
    """What `as_json` wrote. Raises `ValueError` for what it did not."""
    return _REPORT.validate_json(text)


def as_text(report: Report, out: TextIO) -> None:
    console = Console(file=out, highlight=False, markup=False, emoji=False)
    console.width = min(console.width, 100) if console.is_terminal else _WIDTH
    for title, (by, order) in _GROUPS.items():
        console.print(_table(title, report.hits, by, order))
    _print_bad(console, report)
    for line in (*report.notes, *_refused(report)):
        console.print(line)
    console.print(_verdict(report))


def _refused(report: Report) -> Iterator[str]:
    """Faults that none of the substrates offers."""
    here = {shot.cell.fault for shot in report.rehearsals}
    whys = {fault: why for fault, _, why in report.not_offered if fault not in here}
    return (f"not offered: {fault}: {why}" for fault, why in whys.items())


def _fault(shot: Shot) -> str:
    substrate = "toxiproxy" if "://" in shot.cell.substrate else shot.cell.substrate
    where = "" if substrate in ("local", "kubernetes") else f" ({substrate})"
    return f"{shot.cell.fault}{where}"


By = Callable[[Shot], str]

#: What a table is about, and in which order.
_GROUPS: dict[str, tuple[By, tuple[str, ...]]] = {
    "fault": (_fault, ()),
    "victim": (lambda shot: shot.cell.victim, NAMES),
    "step": (lambda shot: shot.cell.step, ORDER),
}


def _table(title: str, shots: Iterable[Shot], by: By, order: tuple[str, ...]) -> Table:
    table = Table(title, "kills", "left", "median", "longest", "taken back by", box=None)
    for column in table.columns[1:5]:
        column.justify = "right"
    groups: dict[str, list[Shot]] = defaultdict(list)
    for shot in shots:
        groups[by(shot)].append(shot)
    for name in order or sorted(groups):
        if name in groups:
            table.add_row(name, *_row(groups[name]))
    table.add_row()
    return table


def _row(shots: list[Shot]) -> tuple[str | Text, ...]:
    times = _times(shots) or [0.0]
    left = sum(shot.bad for shot in shots)
    return (
        str(len(shots)), Text(str(left), "bold red" if left else ""),
        f"{statistics.median(times):.2f} s", f"{max(times):.2f} s", _takers(shots),
    )  # fmt: skip


def _times(shots: Iterable[Shot]) -> list[float]:
    """How long until the fault was gone, of runs that were to end because of the strike."""
    ending = (s for s in shots if s.by not in (WENT_ON, NOTHING))
    return [shot.effect_s for shot in ending if shot.cell.victim not in SURVIVED]


def _takers(shots: list[Shot]) -> str:
    return ", ".join(f"{who} {n}" for who, n in Counter(shot.by for shot in shots).most_common())


def _print_bad(console: Console, report: Report) -> None:
    bad = [shot for shot in (*report.rehearsals, *report.shots) if shot.bad]
    for shot in bad[:_DETAILS]:
        console.print(Text(f"\n{_where(shot)}", "bold red"))
        for line in (*shot.left, *shot.wrong):
            console.print(f"  {line}")
    if len(bad) > _DETAILS:
        console.print(f"\nand {len(bad) - _DETAILS} more: see --output json")
    for shot in report.missed[:_DETAILS]:
        console.print(f"nobody was hit: {_where(shot)}")


def _where(shot: Shot) -> str:
    if not shot.cell.victim:
        return f"{_fault(shot)}, nobody killed"
    return f"{_fault(shot)} at {shot.cell.step}: {shot.cell.victim}"


def _verdict(report: Report) -> Text:
    left = sum(shot.bad for shot in report.shots)
    style = "bold green" if report.exit_status is Exit.PASS else "bold red"
    begin = "interrupted: " if report.interrupted else ""
    covered = f"{len(_cells(report.hits))} of {report.cells} cells"
    return Text(
        f"\n{begin}{len(report.hits)} kills in {covered}, {left} left something behind; longest "
        f"time until a fault was gone {report.longest_s:.2f} s (lease {report.lease_s:g} s), "
        f"{len(report.late)} later than {report.deadline_s:g} s; "
        f"{report.took_s:.0f} s, seed {report.seed}", style,
    )  # fmt: skip


def _cells(shots: Iterable[Shot]) -> set[Any]:
    return {(s.cell.substrate, s.cell.fault, s.cell.step, s.cell.victim) for s in shots}
