"""The dependency faults from their fields to their judgement, over a real proxy: what was made is
confirmed, what was not made, or made at half the strength, is not."""

from __future__ import annotations

import time

from small_world import SmallWorld, in_world

from harness.agent.effects import Curve, Edge, InForce, Intercept, Snapshot, Toxic
from harness.faults.dependency._edge import EdgeFault
from harness.faults.dependency.bandwidth import Bandwidth
from harness.faults.dependency.down import Down
from harness.faults.dependency.flapping import Flapping
from harness.faults.dependency.latency import Latency
from harness.faults.dependency.limit_data import LimitData
from harness.faults.dependency.reset import Reset
from harness.faults.dependency.slicer import Slicer
from harness.faults.dependency.slow_close import SlowClose
from harness.faults.dependency.timeout import Timeout
from harness.faults.fault import Held, Look
from harness.mechanisms.proxy import Proxy

ON = InForce("intercept", Intercept(), 0.0)
NOTHING = Snapshot("proxy", {"redirect": "none"})


def held_by(proxy: Proxy, edge: Edge, fault: EdgeFault, made: Toxic | None) -> Held:
    """What the witness sees of a fault when this is what was made of it."""
    effect = fault.effect()
    before = Look(proxy.measure(edge, effect, 0.3))
    since = time.monotonic()
    effects = (ON,) if made is None else (ON, InForce("fault", made, since))
    proxy.make(edge, NOTHING, effects)
    looks = tuple(Look(proxy.measure(edge, effect, 0.8)) for _ in range(2))
    return Held(edge, before, looks, since)


@in_world("client", "server-0", "server-1")
def test_each_fault_is_confirmed_when_made_and_only_then(world: SmallWorld) -> None:
    for host in ("server-0", "server-1"):
        world.serve(host, 80)
    upstreams = (world.addresses["server-0"], world.addresses["server-1"])
    edge, proxy = Edge("client->server", world.netns("client"), upstreams, 80), Proxy()
    proxy.make(edge, NOTHING, (ON,))
    ramp = Latency(delay={"ramp": "100ms..300ms", "over": "2s"})
    for fault in (Latency(delay="200ms", jitter="10ms"), ramp, Down(), Reset(), Timeout(),
                  Timeout(after="200ms"), Bandwidth(rate="800kbit"), Bandwidth(rate="40mbit"),
                  SlowClose(delay="300ms"), Slicer(size="64B", pause="5ms"),
                  LimitData(limit="100B"), LimitData(limit="1MB"),
                  Flapping(down="500ms", up="500ms")):  # fmt: skip
        held = held_by(proxy, edge, fault, fault.effect())
        lines = fault.judge(held)
        assert all(line.confirmed for line in lines), (fault, lines, held)
        proxy.make(edge, NOTHING, (ON,))
        assert fault.gone(held, Look(proxy.measure(edge, fault.effect(), 0.3))) == ""
        undone = held_by(proxy, edge, fault, None)
        up = "answered while up"  # as one that does not flap does, too
        assert not any(w.confirmed for w in fault.judge(undone) if w.field != up), (fault, undone)
    half = Toxic("latency", numbers=(("latency", Curve.constant(100)),))
    weak = held_by(proxy, edge, Latency(delay="200ms"), half)
    assert not any(line.confirmed for line in Latency(delay="200ms").judge(weak))
    proxy.make(edge, NOTHING, ())
