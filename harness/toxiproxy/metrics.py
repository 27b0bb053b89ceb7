"""Metrics for Prometheus, with Toxiproxy's names."""

from __future__ import annotations

from collections import defaultdict

import psutil

from harness.mechanisms.proxy_link import Link
from harness.toxiproxy.proxies import Labels

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8; escaping=underscores"
_ESCAPES = str.maketrans({"\\": "\\\\", '"': '\\"', "\n": "\\n"})


class Metrics:
    """Bytes of connections that have ended, and (`runtime`) what this process takes."""

    def __init__(self, of_proxies: bool, runtime: bool) -> None:
        self.wanted = of_proxies or runtime
        self._of_proxies, self._runtime = of_proxies, runtime
        self._received: dict[tuple[str, ...], int] = defaultdict(int)
        self._sent: dict[tuple[str, ...], int] = defaultdict(int)

    def count(self, labels: Labels, link: Link) -> None:
        for way, stream in link.streams.items():
            self._received[way, *labels] += stream.received
            self._sent[way, *labels] += stream.sent

    def text(self) -> str:
        lines: list[str] = []
        if self._runtime:
            for name, kind, value in _process():
                lines += [f"# TYPE {name} {kind}", f"{name} {value:g}"]
        if self._of_proxies:
            lines += _counter("toxiproxy_proxy_received_bytes_total", self._received)
            lines += _counter("toxiproxy_proxy_sent_bytes_total", self._sent)
        return "\n".join(lines) + "\n"


def _counter(name: str, values: dict[tuple[str, ...], int]) -> list[str]:
    if not values:
        return []
    lines = [f"# HELP {name} ", f"# TYPE {name} counter"]
    for (way, proxy, listener, upstream), value in sorted(values.items()):
        labels = {"direction": way, "listener": listener, "proxy": proxy, "upstream": upstream}
        said = ",".join(f'{key}="{text.translate(_ESCAPES)}"' for key, text in labels.items())
        lines.append(f"{name}{{{said}}} {_number(value)}")
    return lines


def _number(value: int) -> str:
    """As Go prints a float64."""
    return str(value) if value < 1e21 and value < 1 << 53 else f"{value:g}"


def _process() -> list[tuple[str, str, float]]:
    me = psutil.Process()
    cpu, memory = me.cpu_times(), me.memory_info()
    return [
        ("process_cpu_seconds_total", "counter", cpu.user + cpu.system),
        ("process_open_fds", "gauge", me.num_fds()),
        ("process_resident_memory_bytes", "gauge", memory.rss),
        ("process_start_time_seconds", "gauge", me.create_time()),
        ("process_virtual_memory_bytes", "gauge", memory.vms),
    ]
