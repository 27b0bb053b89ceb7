"""What a real process uses is what is sampled: memory, CPU, threads, files, answers."""

import json
import os
import subprocess
import sys
import time
from itertools import pairwise
from pathlib import Path

from small_world import in_world

from harness.agent.effects import Processes, encode
from harness.record.resources import read
from harness.substrates.attached.identity import start_of
from harness.substrates.sampler import Sampler, Target

MIB = 2**20
#: Holds 60 MiB of its own, 5 threads and 40 files, and keeps a core busy while it is told so.
GREEDY = """
import os, sys, threading, time
held = bytearray(os.urandom(1 << 20) * 60)
files = [open("/dev/null") for _ in range(40)]
for _ in range(4): threading.Thread(target=time.sleep, args=(60,), daemon=True).start()
print("ready", flush=True)
end = time.monotonic() + float(sys.argv[1])
while time.monotonic() < end: pass
time.sleep(60)
"""
FORKS = """
import os, time
held = bytearray(os.urandom(1 << 20) * 60)
for _ in range(3):
    if os.fork() == 0: time.sleep(60)
print("ready", flush=True)
time.sleep(60)
"""
ANSWERS = """
import socket, sys
listener = socket.create_server((sys.argv[1], 8080))
while True:
    connection, _ = listener.accept()
    while data := connection.recv(100):
        connection.sendall(b"answer")
"""


def started(*argv):
    process = subprocess.Popen([sys.executable, "-c", *argv], stdout=subprocess.PIPE)
    assert process.stdout.readline() == b"ready\n"
    return process


def target_of(process):
    return Target("shop", Processes("shop", pid=process.pid, start=start_of(process.pid)))


def test_one_process_is_sampled_as_it_is():
    process = started(GREEDY, "30")
    try:
        sampler = Sampler([target_of(process)])
        sampler.samples(time.monotonic_ns())
        time.sleep(1.0)
        (found,) = sampler.samples(time.monotonic_ns())
    finally:
        process.kill()
        process.wait()
        process.stdout.close()
    assert 60 * MIB < found.memory < 90 * MIB
    assert (found.processes, found.threads) == (1, 5)
    assert 40 + 3 <= found.files <= 40 + 6
    assert found.cpu > 0.15, "it shares two cores with whatever runs here"
    assert found.answers is None, "this network is not its own"


def test_what_processes_share_counts_once_and_children_belong_to_it():
    process = started(FORKS)
    try:
        (found,) = Sampler([target_of(process)]).samples(time.monotonic_ns())
    finally:
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text()
        for pid in children.split():
            os.kill(int(pid), 9)
        process.kill()
        process.wait()
        process.stdout.close()
    assert found.processes == 4
    assert found.memory < 4 * 70 * MIB


def test_a_process_that_is_gone_uses_nothing():
    process = started(GREEDY, "0")
    sampler = Sampler([target_of(process)])
    process.kill()
    process.wait()
    process.stdout.close()
    (found,) = sampler.samples(time.monotonic_ns())
    assert (found.processes, found.memory, found.threads, found.files) == (0, 0, 0, 0)


def test_the_program_writes_a_line_each_second(tmp_path):
    process = started(GREEDY, "0")
    targets = json.dumps(encode([("shop", target_of(process).processes)]))
    argv = [sys.executable, "-m", "harness.substrates.sampler", tmp_path / "resources.jsonl"]
    sampling = subprocess.Popen([*argv, targets])
    time.sleep(3.6)
    sampling.terminate()
    sampling.wait(5)
    process.kill()
    process.wait()
    process.stdout.close()
    found = read(tmp_path)
    assert 3 <= len(found) <= 4
    gaps = [(b.at - a.at) / 1e9 for a, b in pairwise(found)]
    assert all(abs(gap - 1.0) < 0.3 for gap in gaps)


@in_world("client", "server")
def test_answers_are_counted_by_the_kernel_in_a_network_of_its_own(world):
    """50 questions over one connection: 50 segments with data from the server's network."""
    address = world.addresses["server"]
    server = world.start("server", sys.executable, "-c", ANSWERS, address)
    sampler = Sampler([Target("server", Processes("server", netns=world.netns("server")))])
    for _ in range(100):
        try:
            connection = world.connect("client", "server", 8080)
            break
        except OSError:
            time.sleep(0.05)
    (before,) = sampler.samples(time.monotonic_ns())
    for _ in range(50):
        connection.sendall(b"question")
        assert connection.recv(100) == b"answer"
    (after,) = sampler.samples(time.monotonic_ns())
    assert (before.processes, before.service) == (1, "server")
    assert after.answers - before.answers == 50
    connection.close()
    server.kill()
    server.wait()
    (down,) = sampler.samples(time.monotonic_ns())
    assert (down.processes, down.answers) == (0, after.answers)
