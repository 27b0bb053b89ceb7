"""Cluster DNS: CoreDNS, as every cluster has it."""

from __future__ import annotations

import string
from pathlib import Path

from devcluster import shell
from devcluster.layout import SOURCE, Layout


def write(layout: Layout) -> Path:
    """The manifest, with this cluster's address for it."""
    text = (SOURCE / "dns.yaml").read_text(encoding="utf-8")
    return shell.write(layout.state / "dns.yaml", string.Template(text).substitute(dns=layout.dns))
