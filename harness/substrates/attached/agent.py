"""The agent of an attached system: the one that travels, and what needs packages of this machine.

It holds the lease on a Toxiproxy's toxics as on everything else, and its reaper takes them back.
"""

from __future__ import annotations

import sys

from harness.agent.effects import ToxiproxyEdge
from harness.agent.ladder import LADDER
from harness.agent.main import main

MECHANISMS = {**LADDER, ToxiproxyEdge: ("harness.substrates.attached.toxiproxy:Toxiproxy",)}

if __name__ == "__main__":
    sys.exit(main(ladder=MECHANISMS))
