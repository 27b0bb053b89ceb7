"""What is said to a proxy, and what it answers: JSON, a line each."""

from __future__ import annotations

import asyncio
import json
import socket
from typing import Any, Callable, Dict

from harness.mechanisms.proxy_carrier import Carrier


async def told(control: socket.socket, begin: Callable[[], Carrier]) -> None:
    """Carry, and do what is said over the control socket, a JSON line each, until it ends.

    The first line back is the carrier's greeting, or why there is none."""
    reader, writer = await asyncio.open_connection(sock=control)

    def say(answer: Dict[str, Any]) -> None:
        writer.write(json.dumps(answer).encode() + b"\n")

    try:
        carrier = begin()
    except OSError as error:
        say({"error": str(error)})
        await writer.drain()
        return
    say(carrier.greeting())
    await converse(carrier, reader, say)
    await carrier.close()


async def converse(
    carrier: Carrier, reader: asyncio.StreamReader, say: Callable[[Dict[str, Any]], None]
) -> None:
    """Answer each line until there are no more."""
    while line := await reader.readline():
        try:
            say(await carrier.answer(json.loads(line)))
        except (ValueError, OSError) as error:
            say({"error": str(error)})
