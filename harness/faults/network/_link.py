"""What the faults of this family share: a filter of packets, a direction, and how each is seen.

A fault says its profile, and what it reads from one direction of the looks; `direction: both`
applies in full each way, and both ways are judged. Between `from` and `to` a fault acts on what
`from` sends; with `target` alone, on what the target sends.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, ClassVar, Literal, Self

from pydantic import Field, model_validator

from harness.agent.effects import Effect, Link, LinkProfile, Resource
from harness.capabilities import Links
from harness.faults.fault import Condition, Held, Look
from harness.faults.network._path import View, view_of, views
from harness.faults.witness import unseen
from harness.mechanisms.filters import Probe, probe_for
from harness.record.witness import Witnessed

_WAYS = {"forth": (True,), "back": (False,), "both": (True, False)}
_NAMES = {True: "forth", False: "back"}


class LinkFault(Condition):
    """Base of the faults of this family."""

    needs: ClassVar[type] = Links
    #: The name of what is seen: a field of the fault, mostly.
    judged: ClassVar[str] = ""

    direction: Literal["forth", "back", "both"] = Field(
        "forth", description="what the target sends, what it is sent, or both", examples=["both"]
    )
    ports: tuple[int, ...] = Field(
        (), description="only packets from or to these ports", examples=[[5432]]
    )
    protocol: Literal["tcp", "udp", "icmp"] | None = Field(
        None, description="only packets of this protocol", examples=["tcp"]
    )
    spare: tuple[Literal["dns", "probes"], ...] = Field(
        ("dns", "probes"),
        description="left alone on a cluster where no `to:` says whom it is about: lookups of "
        "names, and a kubelet's probes of its pods",
        examples=[[], ["dns"]],
    )

    @model_validator(mode="after")
    def _filter_makes_sense(self) -> Self:
        if self.protocol == "icmp" and self.ports:
            raise ValueError("icmp has no ports; leave out one of protocol and ports")
        if any(not 0 < port < 65536 for port in self.ports):
            raise ValueError("a port is a number from 1 to 65535")
        return self

    def effect(self) -> LinkProfile:
        return self._profile()

    def at(self, resource: Resource, peers: tuple[str, ...]) -> Effect:
        """Who names the other end means it, whoever it is."""
        does = super().at(resource, peers)
        if peers or not (isinstance(resource, Link) and isinstance(does, LinkProfile)):
            return does
        return replace(does, spared=tuple(s for s in resource.spared if s.name in self.spare))

    def judge(self, held: Held) -> tuple[Witnessed, ...]:
        found: list[Witnessed] = []
        for forth in _WAYS[self.direction]:
            seen = views(held, forth, self._probe)
            before = view_of(held, held.before, forth, self._probe)
            field = self._name(forth)
            if seen and before is not None:
                found += self._judge_way(field, held, seen, before)
            else:
                found.append(unseen(field, 0.0, "", "hidden by another partition"))
        return tuple(found)

    def gone(self, held: Held, after: Look) -> str:
        left: list[str] = []
        for forth in _WAYS[self.direction]:
            view = view_of(held, after, forth, self._probe)
            before = view_of(held, held.before, forth, self._probe)
            if view is not None and before is not None and not view.hidden:
                left.append(self._left(view, before))
        return ", ".join(dict.fromkeys(filter(None, left)))

    def says(self) -> str:
        shown = ", ".join(f"{name} {value}" for name, value in self._shown())
        return ", ".join(filter(None, (shown, self._in_words())))

    # ------------------------------------------------------------ for each fault to say

    def _judge_way(
        self, field: str, held: Held, seen: tuple[View, ...], before: View
    ) -> list[Witnessed]:
        """Asked against seen, in one direction; `seen` is not empty."""
        raise NotImplementedError

    def _left(self, after: View, before: View) -> str:
        """What can still be seen of it after the revert, or nothing."""
        raise NotImplementedError

    def _in_words(self) -> str:
        """What it means for a caller, where that is worth saying."""
        return ""

    # ------------------------------------------------------------ helpers

    def _profile(self, **fields: Any) -> LinkProfile:
        return LinkProfile(
            direction=self.direction, ports=self.ports, protocol=self.protocol or "", **fields
        )

    @property
    def _probe(self) -> Probe:
        return probe_for(self._profile())

    def _name(self, forth: bool) -> str:
        """What is judged, with the direction where there are two."""
        return f"{self.judged} {_NAMES[forth]}" if self.direction == "both" else self.judged

    def _shown(self) -> list[tuple[str, object]]:
        own = [name for name in type(self).model_fields if name not in LinkFault.model_fields]
        values = [(name, getattr(self, name)) for name in (*own, "protocol", "ports", "direction")]
        return [
            (name, " ".join(map(str, value)) if isinstance(value, tuple) else value)
            for name, value in values
            if value not in (None, (), "") and value != 0
        ]
