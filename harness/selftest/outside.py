"""What programs of the system say of network namespaces: a second opinion beside our own snapshots.

Devices, addresses, routes, queues, filters, nftables and iptables; whatever is not installed is
left out, and `seen_by` says what is. And whether packets pass as if nothing had ever been.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterator

from harness.selftest.plain import Host

#: Settings, not counters.
_PROGRAMS = (
    "ip -d link", "ip address", "ip rule", "ip route show table all", "tc qdisc",
    "tc class show dev eth0", "tc filter show dev eth0", "tc filter show dev eth0 ingress",
    "tc filter show dev eth0 egress", "nft list ruleset", "iptables-save", "ip6tables-save",
    "bpftool net",
)  # fmt: skip
_PINGS = 5
_LATE_MS = 40.0
_TIMEOUT_S = 10.0
#: What changes by itself; a device that is down has no UP among its flags.
_PASSING = re.compile(
    r"^#.*|\[\d+:\d+\]|_timer +\S+|valid_lft.*| state \S+|NO-CARRIER,|,LOWER_UP", re.MULTILINE
)

Look = dict[str, str]


def seen_by() -> tuple[str, ...]:
    """The programs of these that are installed."""
    names = dict.fromkeys(line.split()[0] for line in (*_PROGRAMS, "ping"))
    return tuple(name for name in names if shutil.which(name))


def look(hosts: tuple[Host, ...]) -> Look:
    return {
        f"{host.name}: {line}": _PASSING.sub("", _said(host, line))
        for host in hosts
        for line in _PROGRAMS
        if shutil.which(line.split()[0])
    }


def differences(before: Look, now: Look) -> Iterator[str]:
    """Lines that came and lines that went, by the program that says so."""
    for question, was in before.items():
        then, after = was.splitlines(), now[question].splitlines()
        yield from (f"{question}: new: {line.strip()}" for line in after if line not in then)
        yield from (f"{question}: gone: {line.strip()}" for line in then if line not in after)


def disturbed(host: Host, other: Host) -> str:
    """How packets fare from one to the other, where that is not as on a cable; or nothing."""
    if not shutil.which("ping"):
        return ""
    said = _said(host, f"ping -n -q -c {_PINGS} -i 0.01 -W 2 {other.address}")
    fine = f"{_PINGS} received" in said and "duplicates" not in said and "corrupted" not in said
    times = re.search(r"= ([\d.]+)/", said)
    if fine and times and float(times[1]) < _LATE_MS:
        return ""
    return f"packets from {host.name} to {other.name}: {' '.join(said.split()) or 'nothing came'}"


def _said(host: Host, line: str) -> str:
    with host.entered():
        program = subprocess.Popen(line.split(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    try:
        return program.communicate(timeout=_TIMEOUT_S)[0].decode(errors="replace")
    except subprocess.TimeoutExpired:
        program.kill()
        return program.communicate()[0].decode(errors="replace")
