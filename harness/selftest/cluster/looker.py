"""Sees what a fault leaves on a node: by /proc, and by `ip`, `tc`, `nft` where they are installed.

It shares no code with agents, and travels alone, as text: a line of JSON in, a line of JSON out. It
ends with its stdin. A look: the network of each pod, its stopped processes, and processes of the
harness. `kill`: pids. Python 3.9.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

Json = dict[str, Any]

LOOKS = ("ip -o link", "tc qdisc", "nft list tables")
OURS = ("harness.mechanisms.", "harness.agent", "--in-pod")


def main() -> None:
    tools = [look for look in LOOKS if shutil.which(look.split()[0])]
    say({"tools": [look.split()[0] for look in tools]})
    for line in sys.stdin:
        asked = json.loads(line)
        if "kill" in asked:
            say({"hit": sum(killed(pid, asked["signal"]) for pid in asked["kill"])})
        else:
            say(look(asked["pods"], asked["cgroups"], tools))


def say(what: Json) -> None:
    sys.stdout.write(json.dumps(what) + "\n")
    sys.stdout.flush()


def look(pods: list[str], cgroups: list[str], tools: list[str]) -> Json:
    there = [p for p in map(process, Path("/proc").iterdir()) if p]
    found: Json = {"network": {}, "stopped": {}}
    for uid in pods:
        mine = sorted((p for p in there if is_in(uid, p)), key=lambda p: float(p["start"]))
        own = [p["pid"] for p in mine if has_own_network(p["pid"])]
        found["network"][uid] = network(own[0], tools) if own else None
        found["stopped"][uid] = [p["name"] for p in mine if p["state"] == "T"]
    found["cgroups"] = [uid for uid in cgroups if any(is_in(uid, p) for p in there)]
    found["ours"] = [
        {key: p[key] for key in ("pid", "start", "parent", "words")}
        for p in there
        if p["pid"] != os.getpid() and any(word in p["words"] for word in OURS)
    ]
    return found


def is_in(uid: str, process: Json) -> bool:
    return uid in process["cgroup"] or uid.replace("-", "_") in process["cgroup"]


def has_own_network(pid: int) -> bool:
    """A container that is only being made is still in its node's."""
    try:
        return os.readlink(f"/proc/{pid}/ns/net") != os.readlink("/proc/1/ns/net")  # noqa: PTH115
    except OSError:
        return False


def network(pid: int, tools: list[str]) -> list[str] | None:
    """None when the pod is gone meanwhile."""
    if not tools:
        lines = read(Path(f"/proc/{pid}/net/dev")).splitlines()[2:]
        return sorted(line.partition(":")[0].strip() for line in lines)
    asked = subprocess.run(
        ["nsenter", "-t", str(pid), "-n", "sh", "-c", "; ".join(tools)],
        capture_output=True, text=True, timeout=10, check=False,
    )  # fmt: skip
    return asked.stdout.splitlines() if not asked.returncode else None


def process(folder: Path) -> Json | None:
    """None for whatever is no process, or dead."""
    stat = read(folder / "stat") if folder.name.isdigit() else ""
    fields = stat.rpartition(") ")[2].split()
    if not fields or fields[0] in "ZX":
        return None
    words = read(folder / "cmdline").replace("\0", " ")
    return {
        "pid": int(folder.name), "state": fields[0], "parent": int(fields[1]),
        "start": int(fields[19]), "name": stat[stat.find("(") + 1 : stat.rfind(")")],
        "cgroup": read(folder / "cgroup"), "words": words[-400:],
    }  # fmt: skip


def read(path: Path) -> str:
    try:
        return path.read_text(errors="replace")
    except OSError:
        return ""


def killed(pid: int, number: int) -> bool:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return False
    return True


if __name__ == "__main__":
    main()
