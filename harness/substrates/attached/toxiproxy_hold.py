"""One proxy of a Toxiproxy while a run holds it: its toxics, its witness, and who met them.

A toxic's name begins with the mark of the snapshot, which the journal has: whoever takes back
removes what bears it, and nothing else.
"""

from __future__ import annotations

import contextlib
import re
import socket
import struct
import threading
import time

from toxiproxy.toxic import Toxic as Named

from harness.agent.effects import EdgeSeen, InForce, Toxic, ToxiproxyEdge
from harness.agent.protocol import Failed
from harness.mechanisms.probe_questions import look_for
from harness.mechanisms.probe_transfers import Line, Speech
from harness.mechanisms.proxy_witness import Witness
from harness.substrates.attached.toxiproxy_api import Server, ToxiproxyError
from harness.substrates.attached.toxiproxy_meter import CUT, DATA, END, Meter

DOWN = "down"
_TICK_S = 0.05
_PROBE_S, _QUIET_S = 3.0, 0.15
_LEAST = {"rate": 1, "average_size": 1}  # none of them is no limit at all
_MET_BY = {DOWN: CUT, "slow_close": END}


class Hold:
    """`name` is the proxy's; raises `Failed` when the dependency does not answer the probe."""

    def __init__(self, edge: ToxiproxyEdge, server: Server, name: str, mark: str) -> None:
        self._proxied, self._server, self._name, self._mark = edge, server, name, mark
        self._toxics: dict[str, InForce] = {}
        self._numbers: dict[str, dict[str, int]] = {}
        self._shares: dict[str, float] = {}
        self._enabled = True
        self._trouble = ""
        self._turn = threading.RLock()
        self._over = threading.Event()
        self._ours: set[int] = set()
        self._speech = self._heard()
        line = Line(self._speech, 1, self._connect)
        self._witness = Witness(line, lambda _port: True)
        port = int(edge.listen.rpartition(":")[2])
        self._meter = Meter(port, self._ours, lambda: not self._enabled)
        self._pulse = threading.Thread(target=self._beat, daemon=True)
        self._pulse.start()

    def carry(self, effects: tuple[InForce, ...]) -> None:
        """These toxics, and no others of ours. Raises `ToxiproxyError`."""
        wanted = {e.id: e for e in effects if isinstance(e.effect, Toxic)}
        with self._turn:
            self._raise_trouble()
            for id in [id for id in self._toxics if id not in wanted]:
                self._take(id)
            for id, effect in wanted.items():
                if id not in self._toxics:
                    self._put(id, effect)
            self._follow()
        self._witness.changed()

    def look(self, effect: object, for_s: float) -> EdgeSeen:
        in_force = tuple(e.effect for e in self._toxics.values() if isinstance(e.effect, Toxic))
        return self._witness.look(look_for(effect, in_force, for_s, self._speech.answer))

    def clean(self) -> bool:
        """Nothing of ours is on the proxy, by what the server says. Raises `ToxiproxyError`."""
        with self._turn:
            there = self._server.proxy(self._name)
            names = [toxic.name for toxic in self._server.toxics(self._name)]
        return bool(there and there.enabled) and not any(n.startswith(self._mark) for n in names)

    def met(self) -> dict[str, float]:
        """Connections, for each toxic that is or was; of one on a share of them, as many as its
        share: the server does not say which."""
        return {id: self._meter.count(id) * share for id, share in self._shares.items()}

    def close(self) -> None:
        """Change nothing any more. What is in force is taken back by whoever has the snapshot."""
        self._over.set()
        self._pulse.join(2 * _PROBE_S)
        self._meter.close()
        self._witness.close()

    # ------------------------------------------------------------ toxics

    def _put(self, id: str, effect: InForce) -> None:
        toxic = _toxic(effect)
        self._meter.begin(id, _MET_BY.get(toxic.kind, DATA))
        self._toxics[id], self._shares[id] = effect, toxic.share
        if toxic.kind != DOWN:
            self._numbers[id] = _numbers(effect)
            self._server.add(self._name, self._named(effect))

    def _take(self, id: str) -> None:
        effect = self._toxics[id]
        if _toxic(effect).kind != DOWN:
            self._server.remove(self._name, self._named(effect).name)
        self._meter.end(id)
        del self._toxics[id]

    def _named(self, effect: InForce) -> Named:
        toxic = _toxic(effect)
        return Named(
            name=f"{self._mark}-{slug(effect.id)}", type=toxic.kind, stream=toxic.stream,
            toxicity=toxic.share, attributes=_numbers(effect),
        )  # fmt: skip

    def _follow(self) -> None:
        """What changes with time, as it is now."""
        effects = list(self._toxics.values())
        enabled = not any(_toxic(e).kind == DOWN and _is_down(e) for e in effects)
        if enabled != self._enabled:
            self._server.enable(self._name, enabled)
            self._enabled = enabled
        for effect in effects:
            numbers = _numbers(effect)
            if _toxic(effect).kind != DOWN and numbers != self._numbers[effect.id]:
                self._server.update(self._name, self._named(effect))
                self._numbers[effect.id] = numbers

    def _beat(self) -> None:
        while not self._over.wait(_TICK_S):
            with self._turn:
                try:
                    self._follow()
                except ToxiproxyError as error:
                    self._trouble = str(error)

    def _raise_trouble(self) -> None:
        trouble, self._trouble = self._trouble, ""
        if trouble:
            raise ToxiproxyError(trouble)

    # ------------------------------------------------------------ its witness

    def _heard(self) -> Speech:
        """What is to be said again and again is said twice: it has to be answered alike."""
        edge = self._proxied
        greeting, probe = edge.greeting.encode(), edge.probe.encode()
        with self._connect(0, _PROBE_S) as asked:
            welcome = _answer(asked, greeting) if greeting else 0
            first, again = _answer(asked, probe), _answer(asked, probe)
        if not first or (greeting and not welcome):
            unheard = edge.probe if welcome or not greeting else edge.greeting
            raise Failed(
                f"{edge.target}: {edge.listen} does not answer {unheard!r} within {_PROBE_S:g} s"
            )
        if first != again:
            raise Failed(
                f"{edge.target}: {edge.listen} answers {edge.probe!r} with {first} bytes and then, "
                f"on the same connection, with {again}; what is said but once is for `greeting`"
            )
        return Speech(probe, first, False, greeting, welcome)

    def _connect(self, _which: int, within_s: float) -> socket.socket:
        host, _, port = self._proxied.listen.rpartition(":")
        made = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        try:
            made.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            made.settimeout(within_s)
            made.bind(("", 0))
            self._ours.add(made.getsockname()[1])
            made.connect((host, int(port)))
        except BaseException:
            made.close()
            raise
        return made


def slug(id: str) -> str:
    """An effect's id as part of a name that no server and no URL has trouble with."""
    return re.sub(r"[^A-Za-z0-9_.]+", "-", id)


def _toxic(effect: InForce) -> Toxic:
    assert isinstance(effect.effect, Toxic), "an interception holds no toxic"
    return effect.effect


def _is_down(effect: InForce) -> bool:
    rhythm = dict(_toxic(effect).numbers).get(DOWN)
    return rhythm is None or rhythm.at(time.monotonic() - effect.since) > 0


def _numbers(effect: InForce) -> dict[str, int]:
    """As they are now: Toxiproxy's are whole."""
    at = time.monotonic() - effect.since
    return {
        name: max(_LEAST.get(name, 0), round(curve.at(at)))
        for name, curve in _toxic(effect).numbers
    }


def _answer(asked: socket.socket, question: bytes) -> int:
    """How many bytes come, until nothing more does for a moment."""
    came = 0
    asked.settimeout(_PROBE_S)
    with contextlib.suppress(OSError):
        asked.sendall(question)
        while got := asked.recv(1 << 16):
            came += len(got)
            asked.settimeout(_QUIET_S)
    return came
