"""Our end of the pipe to an agent: `capabilities.Hands` by requests and answers.

Requests may be made from any thread; one thread reads the answers and hands them out. A call that
is not answered in time raises `HandsError`, and counts as made. When the pipe closes, every call
raises `HandsError(lost=True)` with the last words of the other side: what it took back.
"""

from __future__ import annotations

import threading
from concurrent.futures import Future
from concurrent.futures import TimeoutError as NotInTime
from contextlib import suppress
from typing import Any, BinaryIO

from harness.agent.effects import Act, Effect, Exercised, InForce, Resource, Seen, Snapshot
from harness.agent.protocol import (
    FAREWELL,
    Answer,
    Malformed,
    Request,
    answer_of,
    line_of,
)
from harness.capabilities import HandsError
from harness.mechanisms.reach import Reached

TIMEOUT_S = 10.0
#: How much longer an agent may take to start, on a busy machine.
START_S = 50.0
#: So much longer an agent may take that has only just been started, on a busy machine.
STARTS_S = 20.0


class AgentHands:
    """Hands over a pair of binary files. `close` ends the agent, which takes everything back."""

    def __init__(self, reader: BinaryIO, writer: BinaryIO, timeout_s: float = TIMEOUT_S) -> None:
        self._reader = reader
        self._writer = writer
        self._timeout_s = timeout_s
        self._number = FAREWELL
        self._lock = threading.Lock()
        self._waiting: dict[int, Future[Answer]] = {}
        self._lost = ""
        self.farewell: dict[str, Any] = {}
        self._thread = threading.Thread(target=self._read, name="agent answers", daemon=True)
        self._thread.start()

    # ------------------------------------------------------------ the verbs

    def ready(self) -> None:
        """Wait until it answers: how long an agent takes to start says nothing of a lease."""
        self._ask("ready", START_S)

    def hello(self) -> dict[str, Any]:
        """Its version, its pid, and what works where it runs."""
        found: dict[str, Any] = self._ask("hello", STARTS_S)
        return found

    def rungs(self, resource: Resource) -> dict[str, str]:
        """Each mechanism for that resource, by falling fidelity, and why it does not work."""
        found: dict[str, str] = self._ask("rungs", resource=resource)
        return found

    def mechanism(self, resource: Resource, effects: tuple[Effect, ...] = ()) -> str:
        return str(self._ask("mechanism", resource=resource, effects=effects))

    def snapshot(self, resource: Resource) -> Snapshot:
        found: Snapshot = self._ask("snapshot", resource=resource)
        return found

    def make(
        self, resource: Resource, receipt: str, generation: int,
        snapshot: Snapshot, effects: tuple[InForce, ...],
    ) -> None:  # fmt: skip
        self._ask(
            "make", resource=resource, receipt=receipt, generation=generation,
            snapshot=snapshot, effects=effects,
        )  # fmt: skip

    def act(self, resource: Resource, receipt: str, act: Act, effect_id: str) -> Seen:
        seen: Seen = self._ask(
            "act", resource=resource, receipt=receipt, act=act, effect_id=effect_id
        )
        return seen

    def measure(self, resource: Resource, effect: Effect | Act | None, for_s: float) -> Seen:
        seen: Seen = self._ask("measure", for_s, resource=resource, effect=effect, for_s=for_s)
        return seen

    def exercised(self, resource: Resource, effect_id: str) -> Exercised:
        found: Exercised = self._ask("exercised", resource=resource, effect_id=effect_id)
        return found

    def reach(self, address: str, port: int, host: str, path: str, within_s: float) -> Reached:
        """How long a server takes that is asked from there. Raises `HandsError` without answer."""
        connected_s, answered_s = self._ask(
            "reach", within_s, address=address, port=port, host=host, path=path, within_s=within_s
        )
        return connected_s, answered_s

    def renew(self) -> None:
        self._ask("renew")

    def close(self, wait_s: float = 5.0) -> None:
        """Let go: the agent takes back what it still holds, and ends."""
        try:
            self._writer.close()
        except OSError:
            self._lost = self._lost or "the pipe is broken"
        self._thread.join(wait_s)

    # ------------------------------------------------------------ requests and answers

    def _ask(self, op: str, lasts_s: float = 0.0, **arguments: Any) -> Any:
        number, future = self._send(op, arguments)
        try:
            answer = future.result(self._timeout_s + lasts_s)
        except NotInTime:
            waited = self._timeout_s + lasts_s
            raise HandsError(f"the agent did not answer {op} within {waited:g} s") from None
        finally:
            self._waiting.pop(number, None)
        if answer.failure is not None:
            raise HandsError(answer.failure, target_gone=answer.target_gone)
        return answer.value

    def _send(self, op: str, arguments: dict[str, Any]) -> tuple[int, Future[Answer]]:
        future: Future[Answer] = Future()
        with self._lock:
            if self._lost:
                raise HandsError(self._lost, lost=True)
            self._number += 1
            number = self._number
            self._waiting[number] = future
            try:
                self._writer.write(line_of(Request(number, op, arguments)))
                self._writer.flush()
            except (OSError, ValueError) as error:
                self._waiting.pop(number)
                raise HandsError(f"the agent is gone: {error}", lost=True) from None
        return number, future

    def _read(self) -> None:
        with self._reader, suppress(OSError, ValueError):  # closed under us
            for line in self._reader:
                self._take(line)
        self._lose()

    def _take(self, line: bytes) -> None:
        try:
            answer = answer_of(line)
        except Malformed:
            return  # whoever waits for it times out, and says for what
        if answer.id == FAREWELL:
            self.farewell = answer.value
            return
        future = self._waiting.get(answer.id)
        if future is not None and not future.done():
            future.set_result(answer)

    def _lose(self) -> None:
        with self._lock:
            self._lost = f"the agent is gone; {self._last_words()}"
            waiting = list(self._waiting.values())
        for future in waiting:
            if not future.done():
                future.set_exception(HandsError(self._lost, lost=True))

    def _last_words(self) -> str:
        if not self.farewell:
            return "it said nothing of what it took back"
        if self.farewell["left_behind"]:
            return "left behind: " + "; ".join(self.farewell["left_behind"])
        names = ", ".join(self.farewell["taken_back"])
        return f"taken back: {names}" if names else "nothing was left to take back"
