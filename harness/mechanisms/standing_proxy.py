"""TCP connections along an edge on which a proxy has stood from the beginning: toxics come and go.

The proxy belongs to the world and outlives us, so toxics are taken back by telling it so; a fresh
process (the reaper) can do that with the edge alone. The witness is the same as that of a proxy
that connections are redirected to.
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
import threading
from functools import partial
from typing import Any, Dict, Optional, Tuple

from harness.agent.effects import (
    ORDINARY_PROBE_PORTS,
    EdgeSeen,
    Effect,
    Exercised,
    InForce,
    Intercept,
    ProxiedEdge,
    Snapshot,
    Toxic,
    encode,
)
from harness.agent.protocol import TargetGone
from harness.mechanisms.place import PLACE, path_of
from harness.mechanisms.probe_questions import look_for
from harness.mechanisms.probe_transfers import Line
from harness.mechanisms.proxy_process import ProxyError
from harness.mechanisms.proxy_witness import ECHOED, Witness, connect
from harness.mechanisms.toxics import toxic_of

_ANSWER_S = 5.0
_NONE = "none"


class StandingProxy:
    """The mechanism for `ProxiedEdge`."""

    name = "proxy"

    def __init__(self) -> None:
        self._witnesses: Dict[ProxiedEdge, Witness] = {}
        self._toxics: Dict[ProxiedEdge, Tuple[Toxic, ...]] = {}
        self._turn = threading.Lock()

    def works(self, edge: Optional[ProxiedEdge] = None, effects: Tuple[Effect, ...] = ()) -> str:
        """Why it does not work here, or nothing."""
        return "" if PLACE in os.environ else "no proxies stand here"

    def snapshot(self, edge: ProxiedEdge) -> Snapshot:
        return Snapshot(self.name, {"toxics": " ".join(_ask(edge)["in_force"]) or _NONE})

    def make(self, edge: ProxiedEdge, snapshot: Snapshot, effects: Tuple[InForce, ...]) -> None:
        toxics = tuple(e for e in effects if not isinstance(e.effect, Intercept))
        wanted = tuple(toxic_of(toxic) for toxic in toxics)
        with self._turn:
            witness = self._witnesses.get(edge)
            if witness:
                witness.changed()
            _ask(edge, toxics=encode(toxics))
            self._toxics[edge] = wanted

    def measure(self, edge: ProxiedEdge, effect: Optional[Effect], for_s: float) -> EdgeSeen:
        toxics = self._toxics.get(edge, ())
        return self._witness(edge).look(look_for(effect, toxics, for_s))

    def exercised(self, edge: ProxiedEdge, effect_id: str) -> Exercised:
        """Connections of the application that met the toxic. Caveat: of `down` only those that it
        closed; nobody counts connections that the kernel refuses."""
        return Exercised(_ask(edge)["counts"].get(effect_id, 0), "connections")

    def _witness(self, edge: ProxiedEdge) -> Witness:
        with self._turn:
            if edge not in self._witnesses:
                ports = _ask(edge)["ports"]
                line = Line(ECHOED, len(ports), partial(_dial, ports))
                self._witnesses[edge] = Witness(line, partial(_reached, edge))
            return self._witnesses[edge]


def _dial(ports: Tuple[int, ...], which: int, within_s: float) -> socket.socket:
    return connect(("127.0.0.1", ports[which]), ORDINARY_PROBE_PORTS, within_s)


def _reached(edge: ProxiedEdge, port: int) -> bool:
    return bool(_ask(edge, reached=port)["reached"])


def _ask(edge: ProxiedEdge, **request: Any) -> Dict[str, Any]:
    """The proxy's answer. Raises `TargetGone` when its world has ended, `ProxyError` when it
    refuses or does not answer in time."""
    path = path_of(edge.control)
    with contextlib.closing(socket.socket(socket.AF_UNIX)) as line:
        line.settimeout(_ANSWER_S)
        try:
            line.connect(str(path))
            line.sendall(json.dumps(request).encode() + b"\n")
            said = line.makefile("rb").readline()
        except OSError as error:
            if isinstance(error, ConnectionRefusedError) or not path.exists():
                raise TargetGone(
                    f"{edge.target}: the proxy has ended, and all its toxics"
                ) from None
            raise ProxyError(f"the proxy of {edge.target} does not answer: {error}") from None
    if not said:
        raise ProxyError(f"the proxy of {edge.target} ended")
    answer: Dict[str, Any] = json.loads(said)
    if "error" in answer:
        raise ProxyError(answer["error"])
    return answer
