"""What mechanisms of `Link` have in common that let a relay of ours treat the packets.

One relay a link, from its first effect until its last: changed effects are told to it, and its
counts are kept when it goes.
"""

from __future__ import annotations

import contextlib
import threading
from dataclasses import dataclass, field
from typing import Dict, List, Optional, Tuple

from harness.agent.effects import (
    Exercised,
    InForce,
    Link,
    LinkProfile,
    LinkSeen,
    Snapshot,
    encode,
)
from harness.agent.protocol import Failed
from harness.mechanisms.probes import Prober, slowest
from harness.mechanisms.relay_process import OBEY_S, RelayProcess


@dataclass
class Holding:
    """What we did to one link; `snapshot` is set from before the change until after its end,
    `counts` are of the application's packets that met each effect."""

    lock: threading.RLock = field(default_factory=threading.RLock)
    relay: Optional[RelayProcess] = None
    snapshot: Optional[Snapshot] = None
    slowest_s: float = 0.0
    counts: Dict[str, int] = field(default_factory=dict)

    def tell(self, effects: Tuple[InForce, ...]) -> None:
        assert self.relay is not None, "it was put in"
        self.slowest_s = max(self.slowest_s, slowest(effects))
        self.relay.tell({"effects": encode(effects)}, OBEY_S)

    def count(self) -> None:
        if self.relay is not None and self.relay.alive:
            self.counts.update(self.relay.tell({}).get("counts", {}))

    def let_go(self) -> Optional[RelayProcess]:
        """The relay passes everything on, and is the caller's to end. One that hangs is lost with
        what it held."""
        relay, self.relay = self.relay, None
        if relay is not None:
            with contextlib.suppress(Failed, OSError):
                answer = relay.tell({"effects": []})
                self.counts.update(answer.get("counts", {}))
        return relay

    def forget(self) -> None:
        self.snapshot, self.slowest_s = None, 0.0


class ByRelay:
    """The mechanism says how a link looks, and how a relay comes into it and out again."""

    name = ""
    #: Its rules are netfilter's: the witness has to look from above those.
    above = False

    def __init__(self) -> None:
        self._holdings: Dict[Link, Holding] = {}
        self._guard = threading.Lock()
        self._prober = Prober(self.above)

    def snapshot(self, link: Link) -> Snapshot:
        """How the link was before us; while we hold it, what we saw then."""
        holding = self._holding(link)
        with holding.lock:
            return holding.snapshot or self._look(link)

    def make(self, link: Link, snapshot: Snapshot, effects: Tuple[InForce, ...]) -> None:
        holding = self._holding(link)
        with holding.lock:
            if not effects:
                self._take_out(link, holding, snapshot)
                return
            self._check(link, snapshot, effects)
            if holding.relay is not None and not holding.relay.alive:
                self._take_out(link, holding, snapshot)
            if holding.relay is not None:
                holding.tell(effects)
                return
            for effect in effects:
                holding.counts.pop(effect.id, None)
            holding.snapshot = snapshot
            self._put_in(link, holding, snapshot, effects)

    def measure(self, link: Link, effect: Optional[LinkProfile], for_s: float) -> LinkSeen:
        return self._prober.look(link, effect, for_s, self._slowest_s(link))

    def exercised(self, link: Link, effect_id: str) -> Exercised:
        holding = self._holding(link)
        holding.count()
        return Exercised(holding.counts.get(effect_id, 0), "packets")

    # ------------------------------------------------------------ the mechanism's own

    def _look(self, link: Link) -> Snapshot:
        raise NotImplementedError

    def _check(self, link: Link, snapshot: Snapshot, effects: Tuple[InForce, ...]) -> None:
        """Raises `Failed` where these cannot be made true on it."""

    def _put_in(
        self, link: Link, holding: Holding, snapshot: Snapshot, effects: Tuple[InForce, ...]
    ) -> None:
        """Start a relay and tell it these effects."""
        raise NotImplementedError

    def _take_out(self, link: Link, holding: Holding, snapshot: Snapshot) -> None:
        """Whatever state it is in: as in the snapshot, and nothing of ours left."""
        raise NotImplementedError

    # ------------------------------------------------------------ helpers

    def _holding(self, link: Link) -> Holding:
        with self._guard:
            return self._holdings.setdefault(link, Holding())

    def _slowest_s(self, link: Link) -> float:
        """How long a probe may be held; between hosts of one world also by the peer's effects."""
        with self._guard:
            holdings: List[Holding] = list(self._holdings.values())
        among = holdings if link.port else [self._holding(link)]
        return sum(each.slowest_s for each in among)
