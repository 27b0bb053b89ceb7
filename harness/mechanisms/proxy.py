"""TCP connections along an edge run through a proxy of ours, with toxics: by desired state.

`Intercept` starts the proxy in the caller's network namespace, toxics are added to it and taken
away while it runs, no effect at all ends it. Redirect and proxy die with this process, so a fresh
one (the reaper) has nothing to take back but waits until the kernel has.
"""

from __future__ import annotations

import contextlib
import os
import threading
import time
import zlib
from dataclasses import dataclass, field
from functools import partial
from typing import Dict, Optional, Tuple

from harness.agent.effects import (
    Edge,
    EdgeSeen,
    Effect,
    Exercised,
    InForce,
    Intercept,
    Snapshot,
    Toxic,
    encode,
)
from harness.mechanisms import nft
from harness.mechanisms.namespaces import inside, new_netns
from harness.mechanisms.probe_questions import look_for
from harness.mechanisms.probe_transfers import Line
from harness.mechanisms.proxy_process import ProxyError, ProxyProcess
from harness.mechanisms.proxy_witness import ECHOED, Witness, dial_redirected
from harness.mechanisms.toxics import toxic_of

_GONE_S = 3.0


@dataclass
class _Running:
    """A proxy at work, its witness, and what it carries. `counts` are its last ones."""

    process: ProxyProcess
    witness: Witness
    toxics: Tuple[InForce, ...] = ()
    counts: Dict[str, int] = field(default_factory=dict)


class Proxy:
    """The mechanism for `Edge`."""

    name = "proxy"

    def __init__(self) -> None:
        self._running: Dict[Edge, _Running] = {}
        self._ended: Dict[Edge, Dict[str, int]] = {}
        self._turn = threading.Lock()
        self._refusal: Optional[str] = None

    def works(self, edge: Optional[Edge] = None, effects: Tuple[Effect, ...] = ()) -> str:
        """Why it does not work here, or nothing."""
        if self._refusal is None:
            self._refusal = _refusal()
        return self._refusal

    def snapshot(self, edge: Edge) -> Snapshot:
        return Snapshot(self.name, {"redirect": "present" if _redirected(edge) else "none"})

    def make(self, edge: Edge, snapshot: Snapshot, effects: Tuple[InForce, ...]) -> None:
        with self._turn:
            toxics = tuple(e for e in effects if not isinstance(e.effect, Intercept))
            for toxic in toxics:
                toxic_of(toxic)
            if not effects:
                self._end(edge)
            else:
                self._carry(edge, effects, toxics)

    def measure(self, edge: Edge, effect: Optional[Effect], for_s: float) -> EdgeSeen:
        running = self._running.get(edge)
        if running is None:
            return _plainly(edge, for_s)
        toxics = tuple(e.effect for e in running.toxics if isinstance(e.effect, Toxic))
        return running.witness.look(look_for(effect, toxics, for_s))

    def exercised(self, edge: Edge, effect_id: str) -> Exercised:
        """Connections of the application that met a toxic; for `Intercept`, those it ended."""
        with self._turn:
            running = self._running.get(edge)
            if running is None:
                counts = self._ended.get(edge, {})
            else:
                counts = running.counts
                if running.process.alive:
                    counts.update(running.process.ask(counts=True)["counts"])
            return Exercised(counts.get(effect_id, 0), "connections")

    # ------------------------------------------------------------ making it true

    def _carry(self, edge: Edge, effects: Tuple[InForce, ...], toxics: Tuple[InForce, ...]) -> None:
        running = self._running.get(edge)
        if running is None or not running.process.alive:
            running = self._begin(edge, effects)
        running.witness.changed()
        answer = running.process.ask(toxics=encode(toxics))
        running.toxics = toxics
        running.counts.update(answer["counts"])

    def _begin(self, edge: Edge, effects: Tuple[InForce, ...]) -> _Running:
        """Start it; again when the one before has died: its redirect died with it."""
        self._end(edge)
        process = ProxyProcess(edge, table(edge))

        def reached(port: int) -> bool:
            return bool(process.ask(reached=port)["reached"])

        line = Line(ECHOED, len(edge.upstreams), partial(dial_redirected, edge))
        running = _Running(process, Witness(line, reached))
        running.counts.update(self._ended.pop(edge, {}))
        for effect in effects:
            if isinstance(effect.effect, Intercept):
                running.counts[effect.id] = running.counts.get(effect.id, 0) + process.closed
        self._running[edge] = running
        return running

    def _end(self, edge: Edge) -> None:
        running = self._running.pop(edge, None)
        if running is not None:
            with contextlib.suppress(ProxyError):
                running.counts.update(running.process.ask(1.0, counts=True)["counts"])
            self._ended[edge] = running.counts
            running.witness.close()
            running.process.stop()
        until = time.monotonic() + _GONE_S
        while _redirected(edge):
            if time.monotonic() > until:
                raise ProxyError(f"the redirect of {edge.target} is still there")
            time.sleep(0.02)


def table(edge: Edge) -> str:
    """The name of the edge's nftables table: the same for everybody who asks."""
    return f"harness_{edge.port}_{zlib.crc32(','.join(edge.upstreams).encode()):08x}"


def _refusal() -> str:
    """Tried for real, in a namespace that is thrown away."""
    try:
        netns = new_netns()
        try:
            inside(netns, _try)
        finally:
            os.close(netns)
    except OSError as error:
        return f"connections cannot be redirected: {error}"
    return ""


def _try() -> None:
    redirect = nft.Redirect("harness_try")
    try:
        redirect.begin(("198.18.0.1",), 1, 2)
    finally:
        redirect.close()


def _redirected(edge: Edge) -> bool:
    try:
        return table(edge) in inside(edge.netns, nft.tables)
    except FileNotFoundError:
        return False  # the caller's namespace is gone, and everything in it


def _plainly(edge: Edge, for_s: float) -> EdgeSeen:
    """No proxy of ours: whether the dependency takes connections. Nothing is sent to it."""
    begin = time.monotonic()
    outcome = "ok"
    try:
        dial_redirected(edge, 0, for_s).close()
    except ConnectionRefusedError:
        outcome = "refused"
    except OSError:
        outcome = "timeout"
    end = time.monotonic()
    return EdgeSeen(begin, end, outcome, end - begin)
