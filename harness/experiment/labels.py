"""Label selectors as kubectl users write them: `app=web,tier!=db,env in (a,b),!legacy`. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass

#: Of pods, as kubectl's `--field-selector` calls them.
FIELDS = ("metadata.name", "spec.nodeName", "status.podIP")

_NAME = r"[A-Za-z0-9]([\w./-]*[A-Za-z0-9])?"
_TERM = re.compile(
    rf"\s*(?:(?P<key>{_NAME})\s*(?P<op>==|=|!=)\s*(?P<value>(?:{_NAME})?)"
    rf"|(?P<set>{_NAME})\s+(?P<how>in|notin)\s*\((?P<values>[^()]*)\)"
    rf"|(?P<no>!?)\s*(?P<there>{_NAME}))\s*(?:,|$)"
)


@dataclass(frozen=True)
class Term:
    """The label's value is one of `values`, or with none it is there at all; unless `wanted` is
    false, then the opposite."""

    key: str
    values: tuple[str, ...]
    wanted: bool


def parsed(selector: str) -> tuple[Term, ...]:
    """Its terms, all of which must hold. Raises `ValueError` with what cannot be read."""
    terms, at = [], 0
    while at < len(selector):
        match = _TERM.match(selector, at)
        if match is None:
            raise ValueError(f"{selector[at:]!r} is no label selector")
        terms.append(_term(match))
        at = match.end()
    if not terms:
        raise ValueError("an empty selector would select everything")
    return tuple(terms)


def parsed_fields(selector: str) -> tuple[Term, ...]:
    """The same of fields. Raises `ValueError` for those that select nothing."""
    terms = parsed(selector)
    for term in terms:
        if term.key not in FIELDS or not term.values:
            known = f"known are {', '.join(FIELDS)}, each with a value"
            raise ValueError(f"{term.key!r} is no field that selects: {known}")
    return terms


def holds(terms: tuple[Term, ...], labels: dict[str, str]) -> bool:
    return all(_holds(term, labels) for term in terms)


def _term(match: re.Match[str]) -> Term:
    if match["key"]:
        return Term(match["key"], (match["value"],), match["op"] != "!=")
    if match["set"]:
        values = tuple(value.strip() for value in match["values"].split(","))
        return Term(match["set"], values, match["how"] == "in")
    return Term(match["there"], (), not match["no"])


def _holds(term: Term, labels: dict[str, str]) -> bool:
    if not term.values:
        return (term.key in labels) is term.wanted
    return (term.key in labels and labels[term.key] in term.values) is term.wanted
