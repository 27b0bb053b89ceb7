"""Becomes another program that the kernel ends together with the harness.

`python -m harness.substrates.attached.tied PARENT-PID PROGRAM ARGUMENT…`: load must not go on when
nobody measures it any more.
"""

from __future__ import annotations

import os
import sys

from harness.mechanisms.namespaces import die_with_parent


def main() -> None:
    parent, *argv = sys.argv[1:]
    die_with_parent()
    if os.getppid() != int(parent):
        sys.exit("the harness has ended")
    os.execvp(argv[0], argv)  # noqa: S606  no shell is meant


if __name__ == "__main__":
    main()
