"""What a fault is: a frozen model whose fields are its YAML, and how to tell that it is there.

Two kinds. A `Condition` is held and taken back: it says what is to be true, as plain data. An
`Event` happens once: it names the act. Neither has code for undoing, so it cannot forget to.
A fault registers itself by the name of its file: `network.latency` is the one `Fault` of
`harness/faults/network/latency.py`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict

from harness.agent.effects import Act, Curve, Effect, InForce, LinkProfile, Resource, Seen
from harness.curves import Varying
from harness.record.witness import Witnessed
from harness.units import Quantity


@dataclass(frozen=True)
class Look:
    """One measurement, and what else of this run was in force on any resource meanwhile: a witness
    sees the sum, a judgement takes the others out of it."""

    seen: Seen
    others: tuple[tuple[Resource, InForce], ...] = ()


@dataclass(frozen=True)
class Held:
    """What the witness saw: once `before` the inject, then again and again while it was in force.

    `since` and `until` (None: still) bound the effect on the monotonic clock, in seconds; looks
    lie whole inside. For an event the looks come after the act.
    """

    resource: Resource
    before: Look
    looks: tuple[Look, ...]
    since: float
    until: float | None = None


class Fault(BaseModel):
    """Base of both kinds."""

    model_config = ConfigDict(extra="forbid", frozen=True, arbitrary_types_allowed=True)

    kind: ClassVar[str] = ""
    needs: ClassVar[type]
    #: Targets of this fault are edges: a caller and what it calls.
    on_edges: ClassVar[bool] = False

    def __init_subclass__(cls, kind: str = "", **options: Any) -> None:
        super().__init_subclass__(**options)
        if kind:
            cls.kind = kind

    def judge(self, held: Held) -> tuple[Witnessed, ...]:
        """Asked against seen, a line for each field that can be seen. Pure."""
        raise NotImplementedError

    def gone(self, held: Held, after: Look) -> str:
        """After the revert: empty when nothing of the fault can be seen, else what still can."""
        raise NotImplementedError

    def says(self) -> str:
        """The fault in a few words for a plan: `delay 200ms, jitter 20ms, forth`."""
        given = ((name, getattr(self, name)) for name in type(self).model_fields)
        return ", ".join(f"{name} {value}" for name, value in given if value not in (None, (), ""))


class Condition(Fault):
    def effect(self) -> Effect:
        """What is to be true while the fault is on."""
        raise NotImplementedError

    def at(self, resource: Resource, peers: tuple[str, ...]) -> Effect:
        """The same at that resource; packets only to and from these addresses (none: all)."""
        does = self.effect()
        return replace(does, peers=peers) if isinstance(does, LinkProfile) else does


class Event(Fault):
    def act(self) -> Act:
        """What is done, once."""
        raise NotImplementedError

    def gone(self, held: Held, after: Look) -> str:
        return ""


def curve(value: Varying[Quantity] | Varying[Any]) -> Curve:
    """A field's curve as the agent wants it: plain numbers in base units."""
    return Curve(value.points, value.smooth, value.every)
