"""One descriptor for each request that waits: the usual 1024 is soon reached in a freeze."""

from __future__ import annotations

import resource

_MOST = 65_536


def many_descriptors() -> int:
    """Allow this process as many as it may have; how many those are."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = _MOST if hard == resource.RLIM_INFINITY else min(hard, _MOST)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, most), hard))
    return max(soft, most)
