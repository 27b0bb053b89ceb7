"""`$(name)` in an experiment: variables of `vars`, changed by `--set`, and `$(env:NAME)`.

Values from the environment are secrets: they go into what is run and never into a record.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace

from harness.errors import UsageError
from harness.experiment import codes
from harness.experiment.problems import Problems, did_you_mean
from harness.experiment.tree import Entry, Node, understand

_REFERENCE = re.compile(r"\$\(([^()]*)\)")


@dataclass(frozen=True)
class Variables:
    """`public` go into the record; `secrets` are what the environment gave (name, value), to be
    redacted."""

    public: tuple[tuple[str, str], ...] = ()
    secrets: tuple[tuple[str, str], ...] = ()


class Substitution:
    """Replaces references in a tree by their values; what cannot be replaced is reported."""

    def __init__(
        self, declared: Mapping[str, Node], set_vars: Mapping[str, str],
        environment: Mapping[str, str], problems: Problems,
    ) -> None:  # fmt: skip
        self._environment = environment
        self._problems = problems
        self._secrets: list[tuple[str, str]] = []
        self._refuse_unknown(declared, set_vars)
        self._values: dict[str, str] = {}
        self._declaring = True
        written = {name: self._text(node) for name, node in declared.items()}
        known = {name: text for name, text in written.items() if text is not None}
        self._values = known | {name: self._set(text) for name, text in set_vars.items()}
        self._declaring = False
        self._public = {name: node.raw for name, node in declared.items()} | dict(set_vars)

    def _refuse_unknown(self, declared: Mapping[str, Node], set_vars: Mapping[str, str]) -> None:
        for name in set_vars:
            if name not in declared:
                hint = did_you_mean(name, declared, "vars of the file") or "the file has no vars"
                raise UsageError(f"--set {name}: the file has no variable of that name", hint=hint)

    def _set(self, text: str) -> str:
        """What `--set` gives; it may take a secret from the environment, as `vars` may."""

        def value(match: re.Match[str]) -> str:
            name = match[1].strip()
            found = self._lookup(name) if name.startswith("env:") else match[0]
            if found is None:
                raise UsageError(f"--set: the environment has no {name[4:]}")
            return found

        return _REFERENCE.sub(value, text)

    @property
    def variables(self) -> Variables:
        return Variables(tuple(self._public.items()), tuple(dict.fromkeys(self._secrets)))

    def apply(self, node: Node) -> Node:
        """The tree with values in place of references."""
        if isinstance(node.data, dict):
            entries = node.data.items()
            applied = {name: Entry(e.key, self.apply(e.value)) for name, e in entries}
            return replace(node, data=applied)
        if isinstance(node.data, tuple):
            return replace(node, data=tuple(self.apply(item) for item in node.data))
        if "$(" not in node.raw:
            return node
        text = self._text(node)
        if text is None:
            return replace(node, broken=True)
        changed = replace(node, data=text, raw=text, exact=False)
        return understand(changed, self._problems) if node.plain else changed

    def _text(self, node: Node) -> str | None:
        """The scalar with values in place of references, None when one of them has none."""
        text, end = "", 0
        for match in _REFERENCE.finditer(node.raw):
            found = self._lookup(match[1].strip())
            if found is None:
                self._report(node, match)
                return None
            text, end = text + node.raw[end : match.start()] + found, match.end()
        return text + node.raw[end:]

    def _lookup(self, name: str) -> str | None:
        if not name.startswith("env:"):
            return self._values.get(name)
        found = self._environment.get(name[4:])
        if found:
            self._secrets.append((name[4:], found))
        return found

    def _report(self, node: Node, match: re.Match[str]) -> None:
        name = match[1].strip()
        if name.startswith("env:"):
            said, hint = f"the environment has no {name[4:]}", f"export {name[4:]}=…"
        elif self._declaring:
            said, hint = "variables do not refer to each other", "only $(env:NAME) stands in vars"
        else:
            said = f"there is no variable {name!r}"
            hint = did_you_mean(name, self._values, "vars") or "declare it in vars"
        self._problems.add(node.at(match.start()), codes.VARIABLE, said, hint)
