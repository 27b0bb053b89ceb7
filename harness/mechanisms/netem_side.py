"""One direction of a card under kernel netem: a prio root, a class for each set of effects.

Queues are added once and then changed, and new filters stand before the old ones are taken away, so
that a change loses nothing. Caveat: a packet that is held does not keep later ones of its flow
behind it when the effects change.
"""

from __future__ import annotations

import random
import time
from dataclasses import dataclass, field
from typing import Dict, Sequence, Tuple

from harness.agent.effects import InForce
from harness.mechanisms.netem_plan import Class, classes, netem_of, probes_in
from harness.mechanisms.pipeline import Jitter
from harness.mechanisms.qdiscs import Match, Netem, Queues

#: The major number of our root, and of the queues in its bands.
OURS, _BANDS = 0x4858_0000, 0x4860
_FIRST_PRIORITY, _BLOCK, _LAST_BAND = 60_000, 128, 15
#: Within a block: our probes of each class come first, so that they are never spared.
_AFTER_PROBES = 64
_EVERYTHING: Tuple[Match, ...] = ((0, 0, 0),)


@dataclass
class Side:
    """`device` is the card (what the host sends) or the device that what it is sent goes through.
    Every method is called in the card's network namespace."""

    device: str
    forth: bool
    jitters: Dict[str, Jitter]
    _bands: Dict[Tuple[str, ...], int] = field(default_factory=dict)
    _netems: Dict[int, Netem] = field(default_factory=dict)
    _chances: Dict[int, random.Random] = field(default_factory=dict)
    _placed: Dict[int, Class] = field(default_factory=dict)
    _counts: Dict[str, int] = field(default_factory=dict)
    _block: int = _FIRST_PRIORITY

    def begin(self) -> None:
        with Queues() as net:
            net.add_prio(self.device, OURS)

    def set(self, effects: Sequence[InForce]) -> None:
        """These effects, and no others."""
        wanted = classes(effects, self.forth)
        with Queues() as net:
            for each in wanted:
                if each.effects:
                    self._open_band(net, each)
            self._place(net, wanted)

    def follow(self) -> None:
        """Curves and jitters go on."""
        with Queues() as net:
            for each in [each for each in self._placed.values() if each.effects]:
                self._adjust(net, each)

    def counts(self) -> Dict[str, int]:
        """The application's packets that met each effect so far."""
        with Queues() as net:
            return self._counted(net)

    # ------------------------------------------------------------ queues

    def _open_band(self, net: Queues, each: Class) -> None:
        if each.names in self._bands:
            self._adjust(net, each)
            return
        if len(self._bands) >= _LAST_BAND:
            self._close_one(net)
        band = min(set(range(1, _LAST_BAND + 1)) - set(self._bands.values()))
        netem = self._netem(each)
        chance = self._chances[band] = random.Random("".join(e.draws for e in each.effects))
        seed = chance.getrandbits(64)
        net.add_netem(self.device, (_BANDS + band) << 16, _class_of(band), netem, seed)
        self._bands[each.names], self._netems[band] = band, netem

    def _adjust(self, net: Queues, each: Class) -> None:
        band, netem = self._bands[each.names], self._netem(each)
        if self._netems.get(band) != netem:
            seed = self._chances[band].getrandbits(64)
            net.change_netem(self.device, (_BANDS + band) << 16, _class_of(band), netem, seed)
            self._netems[band] = netem

    def _close_one(self, net: Queues) -> None:
        """The band that has been out of use for longest."""
        used = {each.names for each in self._placed.values()}
        names = next(names for names in self._bands if names not in used)
        band = self._bands.pop(names)
        self._netems.pop(band)
        net.delete_qdisc(self.device, (_BANDS + band) << 16, _class_of(band))

    def _netem(self, each: Class) -> Netem:
        now = time.monotonic()
        return netem_of(each.effects, now, lambda name: self.jitters[name].at(now))

    # ------------------------------------------------------------ filters

    def _place(self, net: Queues, wanted: Sequence[Class]) -> None:
        """A block of priorities before the last one, which then goes."""
        self._counts = self._counted(net)
        old = [*self._placed]
        old += [p - _AFTER_PROBES for p, each in self._placed.items() if not each.apart]
        self._block, self._placed = self._block - _BLOCK, {}
        for place, each in enumerate(wanted):
            priority = self._block + place
            to = _class_of(self._bands[each.names] if each.effects else 0)
            for matches in each.matches:
                for probes in () if each.apart else probes_in(matches):
                    net.place(self.device, OURS, priority, probes, to)
                at = priority + _AFTER_PROBES
                net.place(self.device, OURS, at, matches or _EVERYTHING, to)
            self._placed[priority + _AFTER_PROBES] = each
        for priority in old:
            net.delete_filters(self.device, OURS, priority)

    def _counted(self, net: Queues) -> Dict[str, int]:
        found = dict(self._counts)
        hits = net.hits(self.device, OURS) if self._placed else {}
        for priority, each in self._placed.items():
            for name in each.names:
                found[name] = found.get(name, 0) + hits.get(priority, 0)
        return found


def _class_of(band: int) -> int:
    """Band 0 is class 1: for what meets nothing."""
    return OURS | band + 1
