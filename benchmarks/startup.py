"""How fast commands answer that people type all day, beside `pytest --version` in the same run.

Prints medians over 15 runs and the ratio; judges nothing.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from pathlib import Path

BIN = Path(sys.executable).parent
EXPERIMENT = "experiments/checkout-survives-slow-database.yaml"
COMMANDS = {
    "pytest --version": [str(BIN / "pytest"), "--version"],
    "harness --help": [str(BIN / "harness"), "--help"],
    "harness validate": [str(BIN / "harness"), "validate", EXPERIMENT],
    "harness plan": [str(BIN / "harness"), "plan", EXPERIMENT],
}


def took_s(command: list[str]) -> float:
    begun = time.perf_counter()
    subprocess.run(command, check=True, capture_output=True, timeout=60)
    return time.perf_counter() - begun


def main() -> None:
    times: dict[str, list[float]] = {name: [] for name in COMMANDS}
    for _ in range(15):
        for name, command in COMMANDS.items():
            times[name].append(took_s(command))
    reference = statistics.median(times["pytest --version"])
    for name, values in times.items():
        median = statistics.median(values)
        print(f"{name:20} {median * 1e3:7.0f} ms   {median / reference:5.2f} x pytest --version")


if __name__ == "__main__":
    main()
