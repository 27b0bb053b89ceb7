"""runc for a machine whose root lacks CAP_SYS_RESOURCE: oci_runtime.py RUNC ARGUMENTS...

That capability, higher limits and lower oom scores are taken out of what is asked for: out of
config.json (create, run), and out of the process of `exec` too, or `kubectl exec` into a
privileged pod fails.
"""

from __future__ import annotations

import json
import os
import resource
import sys
from pathlib import Path
from typing import Any

_VERBS = ("create", "run", "exec")


def main(runc: str, *arguments: str) -> None:
    verb = next((word for word in arguments if word in _VERBS), "")
    if verb == "exec":
        asked = _option(arguments, "--process", "-p")
        if asked:
            _rewrite(Path(asked), inner="")
    elif verb:
        _rewrite(Path(_option(arguments, "--bundle", "-b") or ".") / "config.json", "process")
    os.execv(runc, ["runc", *arguments])


def _option(arguments: tuple[str, ...], *names: str) -> str:
    for word, following in zip(arguments, (*arguments[1:], ""), strict=True):
        name, equals, value = word.partition("=")
        if name in names:
            return value if equals else following
    return ""


def _rewrite(path: Path, inner: str) -> None:
    config = json.loads(path.read_text(encoding="utf-8"))
    _clean(config[inner] if inner else config)
    path.write_text(json.dumps(config), encoding="utf-8")


def _clean(process: dict[str, Any]) -> None:
    capabilities = process.get("capabilities") or {}
    for kind, names in capabilities.items():
        capabilities[kind] = [name for name in names if name != "CAP_SYS_RESOURCE"]
    for limit in process.get("rlimits") or ():
        highest = resource.getrlimit(getattr(resource, limit["type"]))[1]
        if highest != resource.RLIM_INFINITY:
            limit["hard"] = min(limit["hard"], highest)
            limit["soft"] = min(limit["soft"], limit["hard"])
    if process.get("oomScoreAdj") is not None:
        here = int(Path("/proc/self/oom_score_adj").read_text(encoding="utf-8"))
        process["oomScoreAdj"] = max(process["oomScoreAdj"], here)


if __name__ == "__main__":
    main(*sys.argv[1:])
