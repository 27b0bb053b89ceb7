"""The verdict of a run: a pure function of its directory.

The gravest thing that is true of it, in this order: something left behind, an error of the harness,
interrupted, invalid, failed, inconclusive, passed. INVALID outranks FAIL, because a test that could
not have known says nothing about the system, not even bad things.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from harness.errors import Exit
from harness.experiment.model import Objective
from harness.measure.evidence import Evidence, gather
from harness.measure.passages import BEGAN
from harness.record.directory import RunDirectory
from harness.verdict.judgement import Judgement, judge
from harness.verdict.validity import internal_error, invalid

Word = Literal["pass", "fail", "inconclusive", "invalid", "interrupted", "dirty", "error"]

EXITS: dict[Word, Exit] = {
    "pass": Exit.PASS,
    "fail": Exit.FAIL,
    "inconclusive": Exit.INCONCLUSIVE,
    "invalid": Exit.INVALID,
    "interrupted": Exit.INTERRUPTED,
    "dirty": Exit.LEFT_BEHIND,
    "error": Exit.INTERNAL,
}


@dataclass(frozen=True)
class RunVerdict:
    """`reasons` are for the word, the gravest first, and empty where the judgements say it all."""

    verdict: Word
    exit_status: Exit
    reasons: tuple[str, ...]
    judgements: tuple[Judgement, ...]


def judge_run(
    directory: RunDirectory, objectives: tuple[Objective, ...] | None = None
) -> RunVerdict:
    """Read and judge; `objectives` in place of the plan's judge an old run anew."""
    return judge_evidence(gather(directory, objectives))


def judge_evidence(evidence: Evidence) -> RunVerdict:
    found = [
        *(("dirty", reason) for reason in left_behind(evidence)),
        *(("error", reason) for reason in filter(None, [internal_error(evidence)])),
        *(("interrupted", reason) for reason in _interrupted(evidence)),
        *(("invalid", reason) for reason in invalid(evidence)),
        *(("fail", reason) for reason in _guard(evidence)),
    ]
    cut_short = any(word in ("error", "interrupted") for word, _ in found)
    judgements = () if cut_short else judge_all(evidence)
    word = _worst([word for word, _ in found], judgements)
    return RunVerdict(word, EXITS[word], tuple(reason for _, reason in found), judgements)


def judge_all(evidence: Evidence) -> tuple[Judgement, ...]:
    """Every objective of the plan in each of its windows."""
    early = tuple(evidence.seconds(step) for step in evidence.steps if step.step == "decided")
    judged = (
        judge(
            objective, evidence.observation, evidence.windows, evidence.resources,
            sequential=evidence.plan.until_decided, early_s=early,
        )
        for objective in evidence.plan.objectives
    )  # fmt: skip
    return tuple(judgement for judgements in judged for judgement in judgements)


_RANK: tuple[Word, ...] = ("dirty", "error", "interrupted", "invalid", "fail", "inconclusive")


def _worst(found: list[str], judgements: tuple[Judgement, ...]) -> Word:
    words = {*found, *(j.verdict for j in judgements if j.severity != "warn")}
    return next((word for word in _RANK if word in words), "pass")


# ---------------------------------------------------------------- what the journal says


def left_behind(evidence: Evidence) -> Iterator[str]:
    """What could not be taken back, or of what nobody saw that it was."""
    for effect in evidence.plan.effects:
        state, what = _last_state(evidence, effect.id)
        if state == "left":
            yield f"{effect.id} could not be taken back" + (f": {what}" if what else "")
        elif state == "on" and not (effect.event and _ended(evidence)):
            yield f"{effect.id} was on when the run broke off; nobody saw it taken back"


def _last_state(evidence: Evidence, effect: str) -> tuple[str, str]:
    """Whether an effect is on, off or left, and what of it is left."""
    state, what = "", ""
    for step in evidence.steps:
        mine = step.effect == effect or (step.step == "recovered" and not step.effect)
        if mine and step.step in _STATES:
            state, what = _STATES[step.step], "; ".join(map(str, step.data.get("what") or ()))
    return state, what


_STATES = {
    **dict.fromkeys(BEGAN, "on"),
    **dict.fromkeys(("gone", "target_gone", "recovered"), "off"),
    "left_behind": "left",
}


def _ended(evidence: Evidence) -> bool:
    return any(step.step == "run.ended" for step in evidence.steps)


def _interrupted(evidence: Evidence) -> Iterator[str]:
    yield from _aborted(evidence, "person", "interrupted")
    yield from _aborted(evidence, "disk", "interrupted")
    if not _ended(evidence):
        yield "the run broke off: its journal has no end"


def _guard(evidence: Evidence) -> Iterator[str]:
    return _aborted(evidence, "guard", "the guard aborted")


def _aborted(evidence: Evidence, by: str, what: str) -> Iterator[str]:
    for step in evidence.steps:
        if step.step == "abort" and step.data.get("by") == by:
            yield f"{what} at {evidence.seconds(step):.1f} s: {step.data.get('reason', '')}"
