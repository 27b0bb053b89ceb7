"""Alarms ring in their order and not early; one that is cancelled does not, and does not stay."""

from __future__ import annotations

import asyncio
import random
import time

from harness.mechanisms.alarms import alarms


def test_they_ring_in_order_and_never_early() -> None:
    async def ring() -> list[tuple[float, float]]:
        rung: list[tuple[float, float]] = []
        chance, begun = random.Random(1), time.monotonic()
        for _ in range(300):
            when = begun + chance.uniform(-0.01, 0.1)
            alarms().at(when, lambda when=when: rung.append((when, time.monotonic())))
        await asyncio.sleep(0.3)
        return rung

    rung = asyncio.run(ring())
    assert len(rung) == 300
    assert [when for when, _ in rung] == sorted(when for when, _ in rung)
    assert all(when <= at for when, at in rung)


def test_one_that_is_cancelled_is_forgotten() -> None:
    async def cancel() -> tuple[list[int], int]:
        rung: list[int] = []
        for _ in range(5000):
            alarms().at(time.monotonic() + 3600, lambda: rung.append(1)).cancel()
        alarms().at(0, lambda: rung.append(2))
        alarms().at(time.monotonic() + 1e300, lambda: rung.append(3))
        await asyncio.sleep(0.05)
        return rung, len(alarms()._set)

    rung, kept = asyncio.run(cancel())
    assert rung == [2]
    assert kept < 500


def test_an_alarm_may_set_the_next() -> None:
    async def chain() -> int:
        rung = 0

        def again() -> None:
            nonlocal rung
            rung += 1
            alarms().at(time.monotonic() + 0.001, again)

        again()
        await asyncio.sleep(0.2)
        return rung

    assert asyncio.run(chain()) > 5
