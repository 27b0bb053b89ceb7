"""JUnit XML for CI systems: the suite is the experiment, a case is an objective.

A failed objective is a `<failure>`; inconclusive and invalid are `<error>`, never skipped, because
a skip shows green. The facts stand in `system-out`, since some readers drop properties.
"""

from __future__ import annotations

from typing import TextIO
from xml.etree import ElementTree as ET

from harness.report import words
from harness.report.record import Objective, Record

FILE = "report.xml"

#: Verdicts of a run that no single objective answers for.
_OF_THE_RUN = frozenset({"invalid", "interrupted", "dirty", "error"})


def render(record: Record, out: TextIO) -> None:
    root = ET.Element("testsuites", name="harness")
    root.append(_suite(record))
    ET.indent(root)
    out.write('<?xml version="1.0" encoding="utf-8"?>\n')
    out.write(ET.tostring(root, encoding="unicode") + "\n")


def _suite(record: Record) -> ET.Element:
    cases = [_case(record, objective) for objective in record.objectives]
    if record.verdict in _OF_THE_RUN or not cases:
        cases.insert(0, _run_case(record))
    suite = ET.Element("testsuite", _counts(record, cases))
    suite.append(_properties(record))
    suite.extend(cases)
    _text(suite, "system-out", _facts(record))
    return suite


def _counts(record: Record, cases: list[ET.Element]) -> dict[str, str]:
    return {
        "name": words.printable(record.run.name),
        "tests": str(len(cases)),
        "failures": str(sum(case.find("failure") is not None for case in cases)),
        "errors": str(sum(case.find("error") is not None for case in cases)),
        "skipped": "0",
        "time": f"{record.run.duration_s:.3f}",
        "timestamp": words.printable(record.run.started),
    }


def _properties(record: Record) -> ET.Element:
    properties = ET.Element("properties")
    run = record.run
    given = {
        "run": run.id,
        "seed": str(run.seed),
        "verdict": record.verdict,
        "directory": run.directory,
    }
    for name, value in given.items():
        ET.SubElement(properties, "property", name=name, value=words.printable(value))
    return properties


def _run_case(record: Record) -> ET.Element:
    """The run itself as a case: for what is wrong with the test, or when nothing was to hold."""
    case = ET.Element(
        "testcase",
        classname=words.printable(record.run.name),
        name="the run itself",
        time=f"{record.run.duration_s:.3f}",
    )
    if record.verdict in _OF_THE_RUN:
        _trouble(case, "error", record.verdict, "; ".join(record.reasons) or words.headline(record))
    return case


def _case(record: Record, objective: Objective) -> ET.Element:
    lasted = f"{max(0.0, objective.end_s - objective.start_s):.3f}"
    case = ET.Element(
        "testcase",
        classname=words.printable(record.run.name),
        name=words.printable(objective.text),
        time=lasted,
    )
    if record.verdict in ("invalid", "error"):
        _trouble(case, "error", record.verdict, "; ".join(record.reasons))
    elif objective.verdict == "fail" and objective.severity != "warn":
        _trouble(case, "failure", "fail", objective.says)
    elif objective.verdict == "inconclusive" and objective.severity != "warn":
        _trouble(case, "error", "inconclusive", objective.says)
    _text(
        case,
        "system-out",
        "\n".join((f"{objective.verdict}: {objective.says}", *words.objective_facts(objective))),
    )
    return case


def _trouble(case: ET.Element, tag: str, kind: str, message: str) -> None:
    found = ET.SubElement(case, tag, type=kind, message=words.printable(message))
    found.text = words.printable(message)


def _facts(record: Record) -> str:
    lines = [f"{record.verdict}: {words.headline(record)}", *record.reasons]
    for effect in record.effects:
        facts = (words.standing(effect), words.exercised(effect), words.life(effect))
        what = f"{effect.id}: {effect.fault} on {effect.target}"
        lines.append("; ".join((what, *filter(None, facts))))
        lines += [f"  {line.field}: {words.seen(line)}" for line in effect.witnessed]
    lines += [f"load: {words.load_line(record.load)}"] if record.load else []
    return "\n".join([*lines, f"seed {record.run.seed}; again: {words.rerun(record)}"])


def _text(parent: ET.Element, tag: str, text: str) -> None:
    ET.SubElement(parent, tag).text = words.printable(text)
