"""A run ends with its disk: full or broken, nothing is left, and it says why."""

import os
import shutil
import signal
import subprocess
from pathlib import Path

import pytest
from attached_place import PAUSE, Here
from fire import Place, stopped, wait

MIB = 1 << 20
#: Taking back, a last look, the load's end: 10 s, asserted at 3x.
ENDS_S = 30
ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="not root: a disk of its own is mounted")


@pytest.fixture
def here(tmp_path):
    place = Here(tmp_path)
    yield place
    place.close()


@pytest.fixture
def small_disk(here, tmp_path_factory):
    """8 MiB for the run directories."""
    disk = tmp_path_factory.mktemp("disk")
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=8m", "none", disk], check=True)
    (here.path / "reports").symlink_to(disk)
    yield disk
    subprocess.run(["umount", "-l", disk], check=True)


def fill(disk: Path) -> None:
    """To the last byte."""
    with (disk / "filler").open("wb", buffering=0) as filler:
        while True:
            try:
                filler.write(bytes(64 << 10))
            except OSError:
                return


@ROOT
def test_a_disk_that_fills_up_during_a_fault(here, small_disk):
    with here.running("run", here.run(PAUSE)) as shot:
        shot.until("injected f")
        assert stopped(here.target)
        fill(small_disk)
        assert shot.ends(ENDS_S) == 4, shot.said
        shot.nothing_left()
    assert not stopped(here.target)
    assert "full" in shot.said or "No space left" in shot.said
    (small_disk / "filler").unlink()
    done = here.harness("recover", here.run_directory.name)
    assert done.returncode == 0, done.stdout + done.stderr
    assert not stopped(here.target)
    assert "lines verify" in here.harness("audit").stdout


@ROOT
def test_a_disk_that_is_full_before(here, small_disk):
    fill(small_disk)
    done = here.harness("run", here.run(PAUSE))
    assert done.returncode == 4, done.stdout + done.stderr
    assert "No space left" in done.stderr
    assert "Traceback" not in done.stderr
    assert not stopped(here.target)


@pytest.mark.skipif(not shutil.which("strace"), reason="strace is not installed")
@pytest.mark.parametrize("step", ["load.started", "injected f"])
def test_a_disk_that_breaks(here, step):
    """From that step on the kernel answers each fsync of the run's loop with EIO."""
    with here.running("run", here.run(PAUSE)) as shot:
        shot.until(step)
        inject = ["-e", "trace=fsync", "-e", "inject=fsync:error=EIO", "-o", here.path / "traced"]
        breaker = subprocess.Popen(["strace", *inject, "-p", str(shot.process.pid)],
                                   stderr=subprocess.DEVNULL)  # fmt: skip
        try:
            assert shot.ends(ENDS_S) == 4, shot.said
        finally:
            breaker.send_signal(signal.SIGINT)
            breaker.wait(5)
        shot.nothing_left()
    assert "EIO" in (here.path / "traced").read_text()
    assert "the journal cannot be written: [Errno 5]" in shot.said
    assert "everything was taken back" in shot.said
    assert not stopped(here.target)
    if step == "load.started":
        assert not any(told.startswith("inject") for told in here.told)
    assert here.harness("recover", here.run_directory.name).returncode == 0


def test_a_place_where_nothing_can_be_made(tmp_path):
    place = Place(tmp_path)
    place.write("no-directory", "")
    done = place.harness("run", str(place.experiment()), "--reports", "no-directory/reports")
    assert done.returncode == 2, done.stdout + done.stderr
    assert "--reports" in done.stderr
    wait(lambda: not list((tmp_path / "tmp").iterdir()), 5, "end")
