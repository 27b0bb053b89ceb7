"""Every mistake that a file can have: a stable code, its title, and what to do about it.

`harness explain CODE` prints an entry; a code is never given another meaning.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Code:
    id: str
    title: str
    about: str


_TABLE: dict[str, Code] = {}


def _code(number: str, title: str, about: str) -> Code:
    _TABLE[number] = Code(number, title, about)
    return _TABLE[number]


def find(number: str) -> Code | None:
    return _TABLE.get(number.upper())


def table() -> tuple[Code, ...]:
    return tuple(_TABLE.values())


# ---------------------------------------------------------------- the text itself

BYTES = _code(
    "HF101",
    "not plain UTF-8 text",
    "The file has bytes that are not UTF-8, a byte order mark, or control characters. Save it as "
    "UTF-8 without BOM.",
)
EMPTY = _code("HF102", "empty file", "There is nothing but white space and comments in the file.")
TOO_BIG = _code(
    "HF103",
    "too large or too deep",
    "A file may have 256 KiB, 20 levels of nesting and 5,000 values, aliases counted as what "
    "they stand for.",
)
SYNTAX = _code(
    "HF104",
    "not YAML",
    "The text cannot be read as YAML from here on. Often the true mistake stands one line above: "
    "a missing quote, bracket or space after a colon, or a tab.",
)
DUPLICATE_KEY = _code(
    "HF105", "duplicate key", "YAML would silently drop the first of the two. Remove one of them."
)
SURPRISE = _code(
    "HF106",
    "YAML surprise",
    "YAML 1.1 reads this as something else than what it looks like: on, off, yes and no are "
    "booleans, 1:30 is 90, 0777 is 511, 2026-01-02 is a date. Quote it, or write what you mean.",
)
DOCUMENTS = _code(
    "HF107",
    "several documents",
    "A file holds one experiment or one system. Put what follows `---` into a file of its own.",
)
FOREIGN = _code(
    "HF108",
    "YAML feature that is not used here",
    "Tags (!name) and merge keys (<<) are refused: what a file does must be readable in place. "
    "For repeated values use `vars`.",
)

# ---------------------------------------------------------------- the shape

UNKNOWN_KEY = _code(
    "HF201",
    "unknown key",
    "Nothing has that name here. Unknown keys are refused, because a misspelt key would otherwise "
    "silently do nothing.",
)
MISSING_KEY = _code("HF202", "missing key", "This key must be there.")
WRONG_TYPE = _code(
    "HF203", "wrong type", "A text, a list or a mapping was expected, and another one stands there."
)
QUANTITY = _code(
    "HF204",
    "not such a quantity",
    "Every number carries its unit: 200ms, 5%, 10mbit, 150/s, 50MiB. A curve is written "
    "{ramp: 0ms..400ms, over: 20s} or {step: [0ms, 100ms], every: 5s}.",
)
NAME = _code(
    "HF205",
    "not a name",
    "Names and ids are lower-case letters, digits and hyphens, begin with a letter and end with a "
    "letter or digit: slow-db.",
)
CHOICE = _code("HF206", "not one of the choices", "Only the values that the message lists exist.")
LATER = _code(
    "HF207", "not yet", "The design has a place for this; this version does not do it yet."
)
IDENTITY = _code(
    "HF208",
    "not such a file",
    "A file says what it is: apiVersion: harness/v1 and kind: Experiment, or kind: System.",
)
INCOMPLETE = _code(
    "HF209",
    "something that belongs to it is missing",
    "The keys are right one by one, but together they do not say enough.",
)

# ---------------------------------------------------------------- names

VARIABLE = _code(
    "HF301",
    "unknown variable",
    "$(name) stands for a variable of `vars`, $(env:NAME) for one of the environment. "
    "`--set name=value` changes a variable that the file has; it adds none.",
)
TARGET = _code(
    "HF302",
    "unknown target",
    "A target is a service (api), a replica (api-0), a zone (zone/a) or client, of the system that "
    "the experiment names.",
)
NO_FILE = _code("HF303", "no such file", "Paths count from the directory of the file they are in.")
DUPLICATE_ID = _code("HF304", "duplicate id", "An id names one line of the timeline.")
INTERVENTION = _code(
    "HF305",
    "unknown intervention",
    "An objective names an intervention by the `id` of its line in the timeline.",
)
REFERENCE = _code(
    "HF306",
    "unknown reference",
    "In `run` and `env` of a service: $(port), $(name), $(zone) and $(data) of its own, "
    "$(database.host) and $(database.port) of another.",
)

# ---------------------------------------------------------------- faults

FAULT = _code("HF401", "unknown fault", "`harness list faults` prints those that exist.")
NOT_TAKEN = _code(
    "HF402",
    "a fault that its target cannot take",
    "network.* acts on hosts of a world of ours, process.* on processes that we may signal, "
    "service.* on services that we started, dependency.* on an edge that `calls` declares.",
)
NO_END = _code(
    "HF403",
    "a condition without an end",
    "A condition is held and taken back: `for` says how long.",
)
EVENT_END = _code(
    "HF404", "an event with an end", "An event happens once, so `for` has no meaning for it."
)
WHERE = _code(
    "HF405",
    "where it acts is not said",
    "Write either `target: api`, or `from: api` with `to: database`.",
)
FIELD = _code("HF406", "a field of the fault is wrong", "`harness explain FAULT` shows its fields.")

# ---------------------------------------------------------------- objectives and guard

OBJECTIVE = _code(
    "HF501",
    "not an objective",
    "An objective is one line: INDICATOR OPERATOR LIMIT [WINDOW] [at CONFIDENCE], for example "
    "`p99(pay) < 900ms during slow-db`. `harness explain objectives` has the whole grammar.",
)
ABORT = _code(
    "HF502",
    "not an abort condition",
    "An abort condition is one line: INDICATOR OPERATOR LIMIT for DURATION, for example "
    "`errors > 50% for 3s`.",
)

TARGETS = _code(
    "HF503",
    "unknown targets",
    "`include: {targets: enterprise}` takes objectives from a set that is shipped, "
    "`include: {targets: ../targets/shop.yaml}` from a file of yours. `only` names some of them.",
)
OPENSLO = _code(
    "HF504",
    "not an SLO that a load can judge",
    "Of OpenSLO v1, files of kind SLO with their indicator in place are read. What counts is told "
    "by `metricSource: {type: LoadEvents}`: a filter for ratios (`ok and latency_ms < 100`), an "
    "indicator for thresholds (`latency_ms`, `recovery`).",
)

# ---------------------------------------------------------------- systems

FORM = _code(
    "HF601",
    "a service must say how it is there",
    "Exactly one of `run` (we start it), `attach` (it runs on this machine already) or `upstream` "
    "(it runs elsewhere), and the same kind for all services of a system.",
)
