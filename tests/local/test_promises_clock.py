"""The clock of the machine is set by an hour, forth and back, during a run: nothing is moved.

Set for the harness, its agent and its load alone, by a library that answers for the wall clock.
(faketime 0.9.10 breaks Python's sleep where the monotonic clock is to be left alone.)
"""

import shutil
import subprocess

import pytest
from attached_place import PAUSE, Here

pytestmark = pytest.mark.skipif(not shutil.which("cc"), reason="no C compiler")
#: Long enough for other commands to start meanwhile, on a busy machine too.
FAULT_S = 20.0
WALL = r"""
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>
static long moved(void) {
    long by = 0;
    FILE *file = fopen(getenv("WALL_OFFSET"), "r");
    if (file) { if (fscanf(file, "%ld", &by) != 1) by = 0; fclose(file); }
    return by;
}
int clock_gettime(clockid_t id, struct timespec *now) {
    int failed = syscall(SYS_clock_gettime, id, now);
    if (!failed && (id == CLOCK_REALTIME || id == CLOCK_REALTIME_COARSE)) now->tv_sec += moved();
    return failed;
}
int gettimeofday(struct timeval *now, void *zone) {
    struct timespec at;
    clock_gettime(CLOCK_REALTIME, &at);
    now->tv_sec = at.tv_sec; now->tv_usec = at.tv_nsec / 1000;
    return 0;
}
time_t time(time_t *out) {
    struct timespec at;
    clock_gettime(CLOCK_REALTIME, &at);
    if (out) *out = at.tv_sec;
    return at.tv_sec;
}
"""


@pytest.fixture
def here(tmp_path):
    place = Here(tmp_path)
    yield place
    place.close()


@pytest.fixture
def moved(here):
    """The environment of a process whose wall clock `set_clock` sets."""
    source, library = here.write("wall.c", WALL), here.path / "wall.so"
    subprocess.run(["cc", "-shared", "-fPIC", "-O1", "-o", library, source], check=True)
    set_clock(here, 0)
    return {"LD_PRELOAD": str(library), "WALL_OFFSET": str(here.path / "offset")}


def set_clock(here, by_s):
    here.write("offset.new", f"{by_s}\n").rename(here.path / "offset")


def test_durations_and_leases_hold(here, moved):
    file = here.run(PAUSE.replace("60s", f"{FAULT_S:g}s"))
    with here.running("run", file, **moved) as shot:
        shot.until("injected f")
        set_clock(here, 3600)
        run = here.run_directory.name
        refused = here.harness("run", file, **moved)
        assert refused.returncode == 2, refused.stdout + refused.stderr
        left = float(refused.stderr.partition(" s left at most")[0].rpartition(" ")[2])
        assert 3500 < left <= 3600, "of max_duration, an hour: by the wall clock none were left"
        set_clock(here, -3600)
        assert here.harness("recover", run, **moved).returncode == 2
        assert shot.ends() in (0, 6), shot.said  # 6: a busy machine, and never the lease
        shot.nothing_left()
    at = {step.step: step.at / 1e9 for step in here.steps}
    assert at["reverting"] - at["injected"] == pytest.approx(FAULT_S, abs=4.0)
    assert "abort" not in at
    assert at["gone"] > at["reverting"]
    assert not any("lease" in why for why in here.report["reasons"])


def test_the_library_sets_the_clock(here, moved):
    """Or the test above would prove nothing."""
    set_clock(here, 3600)
    asked = ["python3", "-c", "import time; time.sleep(0.01); print(time.time())"]
    said = subprocess.run(asked, env={**here.environment, **moved}, capture_output=True, check=True)
    now = subprocess.run(asked, env=here.environment, capture_output=True, check=True)
    assert float(said.stdout) - float(now.stdout) == pytest.approx(3600, abs=30)
