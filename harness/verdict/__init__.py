"""What a run came to. `judge_run(directory)` is the verdict; `undecidable` serves the plan."""

from harness.verdict.judgement import Judgement, judge
from harness.verdict.planning import doubtful, undecidable
from harness.verdict.run import RunVerdict, judge_all, judge_evidence, judge_run

__all__ = [
    "Judgement",
    "RunVerdict",
    "doubtful",
    "judge",
    "judge_all",
    "judge_evidence",
    "judge_run",
    "undecidable",
]
