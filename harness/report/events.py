"""The journal as a list of events that a person can read."""

from __future__ import annotations

from collections.abc import Iterable

from harness.clock import Epoch
from harness.record.journal import Step
from harness.report.record import Event

#: Steps that are worth a line; looks, receipts and judgements stand elsewhere in a report.
_SAYS = {
    "run.started": "the run began",
    "world.ready": "the system was up",
    "prepared": "everything was prepared",
    "load.started": "the load began",
    "warmup.over": "the warm-up was over",
    "injecting": "inject began",
    "injected": "injected",
    "acting": "acting",
    "acted": "acted",
    "witnessed": "the witness saw it",
    "reverting": "revert began",
    "reverted": "reverted",
    "gone": "the witness saw it gone",
    "target_gone": "the target was gone, and the fault with it",
    "left_behind": "left behind",
    "failed": "failed",
    "gate": "baseline gate",
    "abort": "aborted",
    "trouble": "trouble",
    "decided": "ended early, all being decided",
    "load.ended": "the load ended",
    "world.closed": "the system was closed",
    "run.ended": "the run ended",
    "recovered": "taken back by harness recover",
}

#: What a step's data adds for a person, in this order.
_DETAILS = ("doing", "by", "phase", "reason", "what", "foreign")


def events_of(steps: Iterable[Step], epoch: Epoch) -> tuple[Event, ...]:
    return tuple(
        Event(round(epoch.seconds(step.at), 4), step.step, step.effect, _says(step))
        for step in steps
        if step.step in _SAYS
    )


def _says(step: Step) -> str:
    details = [_text(step.data[key]) for key in _DETAILS if step.data.get(key)]
    if step.step == "gate" and not details:
        details = ["passed"]
    return ": ".join([_SAYS[step.step], ", ".join(details)]) if details else _SAYS[step.step]


def _text(value: object) -> str:
    return ", ".join(map(str, value)) if isinstance(value, (list, tuple)) else str(value)
