"""Whose change it is when a resource is not as it was: ours, which is dirty, or somebody else's.

Ours is what bears our mark, or what nobody but us writes. Names of our making can only come by us
and, since no more than those is taken away, only go by others. Where a setting does not tell, it
counts as ours: better looked at in vain than left.
"""

from __future__ import annotations

from typing import List, Set, Tuple

from harness.agent.effects import Snapshot
from harness.mechanisms.netem_side import OURS

#: Names of what we made, or hold: taps, tables, toxics, stopped processes, devices, a redirect.
_NAMES = frozenset(
    ("taps", "tables", "toxics", "toxics of harness", "stopped", "through", "stub", "redirect")
)
#: Queues by kind and handle.
_QUEUES = frozenset(("root", "ingress"))
#: What a mechanism only looks at, so as to know its target again. A node without power is missed
#: by who took it, and falls and comes up by itself as well.
_SEEN = frozenset(("netns", "card", "toxics of others", "power"))
_NOTHING = frozenset(("", "none"))
_OUR_HANDLE = f" {OURS >> 16:x}:"


def changes(before: Snapshot, now: Snapshot) -> Tuple[str, str]:
    """What is not as it was, in words: of ours, and of others. Keys that came or went count."""
    ours: List[str] = []
    others: List[str] = []
    for key in sorted(set(before.settings) | set(now.settings)):
        was, is_ = before.settings.get(key), now.settings.get(key)
        if was != is_:
            mine = _is_ours(key, was or "", is_ or "")
            (ours if mine else others).append(f"{key} was {was!r}, is {is_!r}")
    return ", ".join(ours), ", ".join(others)


def _is_ours(key: str, was: str, now: str) -> bool:
    if key in _NAMES:
        return bool(_names(now) - _names(was))
    if key in _QUEUES:
        return now.endswith(_OUR_HANDLE)
    return key not in _SEEN


def _names(text: str) -> Set[str]:
    return {name.strip(",") for name in text.split()} - _NOTHING
