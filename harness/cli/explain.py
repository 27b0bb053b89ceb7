"""`harness explain`: a fault, an error code, or a topic."""

from __future__ import annotations

import textwrap

import click

from harness.errors import HarnessError, UsageError
from harness.experiment import codes
from harness.experiment.objectives import GRAMMAR
from harness.experiment.problems import did_you_mean

_VERDICT = """\
Each objective is PASS, FAIL or INCONCLUSIVE; a run may be INVALID besides.

  PASS          what happened holds the objective; or, with `at 95%`, the bound proves it
  FAIL          what happened breaks it; or the bound refutes it
  INCONCLUSIVE  too few requests to tell: the report says how many more it takes
  INVALID       about the test, never about the system, and it outranks FAIL: the fault was not
                confirmed by its witness, the system's own traffic never met it, the load
                generator was late or dropped requests, the baseline was broken before the fault

An objective without `at` is a count of this run; with it, a claim in general. Latency counts from
when a request was due; failures and timeouts are slower than any limit.
"""


@click.command()
@click.argument("topic", required=False)
def explain(topic: str | None) -> None:
    """Explain TOPIC: a fault, an error code, or one of objectives, verdict, exit.

    \b
    harness explain network.latency
    harness explain HF204
    harness explain objectives
    """  # noqa: D301  click's mark is a real backspace
    if topic is None:
        click.echo(
            f"topics: {', '.join(_topics())}, a fault (harness list faults), or an error code"
        )
        return
    click.echo(_explained(topic), nl=False)


def _topics() -> dict[str, str]:
    from harness.cli.main import EXIT_STATUSES

    exit_page = f"Exit statuses:\n{EXIT_STATUSES}\n"
    return {"objectives": GRAMMAR, "verdict": _VERDICT, "exit": exit_page}


def _explained(topic: str) -> str:
    topics = _topics()
    if topic in topics:
        return topics[topic]
    if code := codes.find(topic):
        return f"{code.id}: {code.title}\n\n{textwrap.fill(code.about, 88)}\n"
    if error := _errors().get(topic.upper()):
        about = (error.__doc__ or error.__name__).strip()
        return f"{error.code}: {about}\n\nEnds with exit status {int(error.exit_status)}.\n"
    return _fault(topic, (*topics, *(code.id for code in codes.table()), *_errors()))


def _errors() -> dict[str, type[HarnessError]]:
    found: dict[str, type[HarnessError]] = {}
    waiting: list[type[HarnessError]] = [HarnessError]
    while waiting:
        error = waiting.pop()
        found.setdefault(error.code, error)
        waiting += error.__subclasses__()
    return found


def _fault(topic: str, others: tuple[str, ...]) -> str:
    from harness.cli import fault_page
    from harness.faults import registry

    fault = registry.find(topic)
    if fault is None:
        hint = did_you_mean(topic, (*registry.names(), *others), "") or "harness list faults"
        raise UsageError(f"there is nothing called {topic!r} to explain", hint=hint.rstrip(": "))
    return fault_page.text(fault)
