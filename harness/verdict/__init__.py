"""What a run came to. `judge_run(directory)` is the verdict; `plan_problems` is for before."""

from harness.verdict.judgement import Judgement, judge
from harness.verdict.planning import PlanProblems, doubtful, plan_problems, undecidable
from harness.verdict.run import RunVerdict, judge_all, judge_evidence, judge_run

__all__ = [
    "Judgement",
    "PlanProblems",
    "RunVerdict",
    "doubtful",
    "judge",
    "judge_all",
    "judge_evidence",
    "judge_run",
    "plan_problems",
    "undecidable",
]
