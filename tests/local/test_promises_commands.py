"""What is promised of `harness run` besides: secrets, seeds, many files, every kind of terminal."""

import json
import os
import pty
import re
import select

import pytest
from fire import FAULTS, HARNESS, Place
from worlds import WHY_NOT

pytestmark = pytest.mark.skipif(bool(WHY_NOT), reason=WHY_NOT)

SECRET = 'hunter2-"quoted"'
CHECKED = """
import json, os, sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_GET(self):
        good = self.headers.get("X-Token") == 'Bearer hunter2-"quoted"'
        self.send_response(200 if good or not self.headers.get("X-Harness-Run") else 401)
        self.send_header("Content-Length", "0")
        self.end_headers()
    def log_message(self, *said): pass
ThreadingHTTPServer(("", int(sys.argv[1])), Handler).serve_forever()
"""


@pytest.fixture
def place(tmp_path):
    return Place(tmp_path)


def short(place, timeline="", name="x.yaml", **fields):
    """An experiment of two seconds."""
    path = place.experiment(timeline, name=name, **fields)
    path.write_text(path.read_text().replace("duration: 60s", "duration: 2s"))
    return path


def test_secrets_reach_the_system_and_no_file(place):
    place.write("server.py", CHECKED)
    file = short(place, objectives="availability >= 90%")
    text = file.read_text().replace("timeout: 1s", 'timeout: 1s, headers: {X-Token: "$(token)"}')
    file.write_text(
        text.replace("  settle", '  vars: {token: "Bearer $(env:SHOP_TOKEN)"}\n  settle')
    )
    done = place.harness("run", str(file), "--seed", "7", SHOP_TOKEN=SECRET)
    assert done.returncode == 0, done.stdout + done.stderr
    again = place.harness("rerun", SHOP_TOKEN=SECRET)
    assert again.returncode == 0, again.stdout + again.stderr
    assert "seed 7" in again.stderr
    assert "hunter2" not in done.stdout + done.stderr + again.stdout + again.stderr
    assert (
        "hunter2"
        not in place.harness("plan", str(file), "--output", "json", SHOP_TOKEN=SECRET).stdout
    )
    written = [
        p for d in ("reports", "state", "tmp") for p in (place.path / d).rglob("*") if p.is_file()
    ]
    assert len(written) > 20
    assert not [path for path in written if b"hunter2" in path.read_bytes()]
    assert "$(env:SHOP_TOKEN)" in (place.run_directory / "plan.json").read_text()


def test_a_reason_that_quotes_a_secret(place):
    place.write("litter.py", "raise SystemExit('no')")
    file = short(place, name="hunter2-x.yaml")
    file.write_text(file.read_text().replace("  settle", '  vars: {t: "$(env:TOKEN)"}\n  settle'))
    done = place.harness("run", str(file), TOKEN="litter")
    assert done.returncode == 6
    assert "$(env:TOKEN)" in (place.run_directory / "journal.jsonl").read_text()


def test_who_may_read_a_run(place):
    place.harness("run", str(short(place)))
    assert place.run_directory.stat().st_mode & 0o777 == 0o700
    assert (place.run_directory / "journal.jsonl").stat().st_mode & 0o777 == 0o600


def test_one_seed_one_plan(place):
    file = place.experiment(FAULTS["pause"].replace("target: back", "target: back, pick: one"))
    plans = [place.harness("plan", str(file), "--seed", "3", "--output", "json") for _ in "12"]
    assert plans[0].returncode == 0, plans[0].stderr
    assert plans[0].stdout == plans[1].stdout


def test_many_files_have_one_verdict(place):
    folder = place.path / "many"
    folder.mkdir()
    for name, objective, tier in (
        ("good", "availability >= 50%", "pr"), ("few", "availability >= 99.999%", "pr"),
        ("bad", "p50 < 1us", "night"),
    ):  # fmt: skip
        text = short(place, objectives=objective).read_text()
        text = text.replace("system.yaml", "../system.yaml").replace("user.py", "../user.py")
        (folder / f"{name}.yaml").write_text(text.replace("tier: pr", f"tier: {tier}"))
    done = place.harness("run", "many", "-l", "tier=pr")
    assert done.returncode == 3, done.stdout + done.stderr
    assert "bad.yaml" not in done.stdout
    assert "together: inconclusive" in done.stdout
    softened = place.harness("run", "many/few.yaml", "--inconclusive-ok")
    assert softened.returncode == 0
    assert "warning: inconclusive" in softened.stderr
    assert place.harness("run", "many", "-l", "tier=none").returncode == 2


def test_an_invalid_run_is_tried_again(place):
    place.write("litter.py", "raise SystemExit('no')")
    done = place.harness("run", str(short(place)), "--retry-invalid", "1")
    assert done.returncode == 6
    runs = [path for path in (place.path / "reports").iterdir() if not path.is_symlink()]
    assert len(runs) == 2
    seeds = {json.loads((run / "plan.json").read_text())["seed"] for run in runs}
    assert len(seeds) == 2


def test_without_a_terminal_lines_are_plain(place):
    done = place.harness("run", str(short(place)))
    assert done.returncode == 0
    assert "\x1b" not in done.stdout + done.stderr
    assert "warm-up" in done.stderr


@pytest.mark.parametrize("colour", [True, False])
def test_on_a_terminal_of_80_columns(place, colour):
    shown = on_terminal(
        place, *HARNESS, "run", str(short(place)), **({} if colour else {"NO_COLOR": "1"})
    )
    assert ("\x1b[3" in shown or "\x1b[1;3" in shown) == colour
    plain = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", shown)
    assert max(len(line) for line in re.split(r"[\r\n]+", plain) if "/" not in line) <= 80
    assert "EXPLORED" in plain


def on_terminal(place, *argv, **env):
    """What a command writes to a terminal of 80 columns, to its end."""
    pid, terminal = pty.fork()
    if pid == 0:
        os.chdir(place.path)
        own = {"TERM": "xterm-256color", "COLUMNS": "80", "LINES": "24"}
        os.execve(argv[0], argv, {**place.environment, **own, **env})
    shown = b""
    while select.select([terminal], [], [], 60)[0]:
        try:
            read = os.read(terminal, 1 << 16)
        except OSError:  # its other end is closed
            break
        shown += read
    os.close(terminal)
    assert os.waitpid(pid, 0)[1] == 0
    return shown.decode()
