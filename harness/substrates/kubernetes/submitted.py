"""Runs inside of the cluster: a Job that needs nobody once it has its files.

The Job's container waits for the files of the experiment, runs it, keeps the run directory, and
ends when that was fetched or at its deadline. Files come and go over `exec`, so that there is no
limit to their size, and nothing of them is left in the cluster.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import secrets
import tarfile
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.errors import InvalidRun, NotReady, UsageError
from harness.substrates.kubernetes import restricted
from harness.substrates.kubernetes.agents import refusal
from harness.substrates.kubernetes.api import Api, ApiError
from harness.substrates.kubernetes.objects import Pod, pod_of
from harness.substrates.kubernetes.stream import Exec

ACCOUNT = NAMESPACE = "harness"
IMAGE = "reliability-harness"
LABEL = "harness.dev/submitted"
READY_S, FETCH_S = 120.0, 120.0
_LOOK_S, _STATUS_S = 0.5, 5.0
_ROOT = "/runs"

#: Waits for its files for two minutes at most, and for the fetching of what came of them.
_MAIN = f"""
cd {_ROOT}
for i in $(seq 1200); do [ -e given ] && break; sleep 0.1; done
[ -e given ] || {{ echo 'no files came'; exit 2; }}
mkdir -p {_ROOT}/reports; cd work && python3 -m harness.cli.main run "$@" --reports {_ROOT}/reports
echo $? > {_ROOT}/status.new && mv {_ROOT}/status.new {_ROOT}/status
for i in $(seq $KEEP_S); do [ -e {_ROOT}/fetched ] && break; sleep 1; done
"""
_TAKE = f"mkdir -p {_ROOT}/work && tar -x -C {_ROOT}/work && touch {_ROOT}/given"

#: Every file below reports on stdout as a tar, their checksums as its last member.
_GIVE = f"""
import hashlib, io, json, os, sys, tarfile
os.chdir("{_ROOT}/reports")
sums = {{}}
with tarfile.open(fileobj=sys.stdout.buffer, mode="w|") as tar:
    for folder, _, names in os.walk("."):
        for name in names:
            path = os.path.join(folder, name)
            if os.path.islink(path):
                continue
            data = open(path, "rb").read()
            sums[path] = hashlib.sha256(data).hexdigest()
            info = tarfile.TarInfo(path); info.size = len(data); info.mode = 0o600
            tar.addfile(info, io.BytesIO(data))
    data = json.dumps(sums).encode()
    info = tarfile.TarInfo("SUMS"); info.size = len(data)
    tar.addfile(info, io.BytesIO(data))
"""


@dataclass(frozen=True)
class Submission:
    """A run in the cluster: its Job's name is all that somebody needs to come back for it."""

    api: Api
    name: str

    def pod(self) -> Pod | None:
        where = f"/api/v1/namespaces/{NAMESPACE}/pods"
        found = map(pod_of, self.api.items(where, labelSelector=f"job-name={self.name}"))
        return next((pod for pod in found if not pod.leaving), None)

    def progress(self) -> Iterator[str]:
        """Lines that it says, until it has ended. Raises `ApiError`, `InvalidRun`."""
        said = 0
        while True:
            over = self.status() is not None
            lines = self._log().splitlines()
            yield from lines[said:]
            said = max(said, len(lines))
            if over:
                return
            time.sleep(_LOOK_S)

    def status(self) -> int | None:
        """The exit status of the run; None while it goes on."""
        out, _ = _executed(self.api, self._running(), ("cat", f"{_ROOT}/status"))
        return int(out) if out.strip().isdigit() else None

    def fetch(self, reports: Path) -> tuple[Path, ...]:
        """Its run directories, whole: a checksum that differs raises `InvalidRun`. The Job then
        ends, and is deleted."""
        pod = self._running()
        data, _ = _executed(self.api, pod, ("python3", "-c", _GIVE), within_s=FETCH_S)
        found = unpacked(data, reports)
        _executed(self.api, pod, ("touch", f"{_ROOT}/fetched"))
        self.api.delete(self._job, propagationPolicy="Background")
        return found

    @property
    def _job(self) -> str:
        return f"/apis/batch/v1/namespaces/{NAMESPACE}/jobs/{self.name}"

    def _running(self) -> Pod:
        pod = self.pod()
        if pod is None or pod.ended:
            raise InvalidRun(f"{self.name} is not there any more; what it had recorded is lost",
                             hint=f"kubectl -n {NAMESPACE} describe job {self.name}")  # fmt: skip
        return pod

    def _log(self) -> str:
        path = f"/api/v1/namespaces/{NAMESPACE}/pods/{self._running().name}/log"
        return self.api.text(path)


def submit(
    api: Api, files: dict[str, bytes], arguments: tuple[str, ...], image: str, keep_s: int
) -> Submission:
    """Start the Job and give it its files (by relative path). Raises `NotReady`, `Refused`."""
    made = Submission(api, f"run-{secrets.token_hex(4)}")
    try:
        api.create(
            f"/apis/batch/v1/namespaces/{NAMESPACE}/jobs",
            job(made.name, arguments, image or IMAGE, keep_s),
        )
        _, status = _executed(api, _started(made), ("sh", "-c", _TAKE), packed(files))
    except ApiError as error:
        raise refusal(error, f"the run cannot be submitted to namespace {NAMESPACE}") from None
    if status != "Success":
        raise NotReady(f"the files did not reach {made.name}: {status}")
    return made


def job(name: str, arguments: tuple[str, ...], image: str, keep_s: int) -> dict[str, Any]:
    """Restricted in every way that Pod Security knows of."""
    mounts, volumes = restricted.writable("runs", _ROOT)
    container = {
        "name": "harness", "image": image, "imagePullPolicy": "IfNotPresent",
        "command": ["sh", "-c", _MAIN, "run", *arguments],
        "env": [{"name": "XDG_STATE_HOME", "value": f"{_ROOT}/state"},
                {"name": "HOME", "value": _ROOT}, {"name": "KEEP_S", "value": str(keep_s)}],
        "securityContext": restricted.CONTAINER, "volumeMounts": mounts,
        "resources": {"requests": {"cpu": "100m", "memory": "256Mi"}, "limits": {"memory": "1Gi"}},
    }  # fmt: skip
    spec = {
        "restartPolicy": "Never", "serviceAccountName": ACCOUNT, "securityContext": restricted.POD,
        "containers": [container], "terminationGracePeriodSeconds": 60, "volumes": volumes,
    }  # fmt: skip
    labels = {LABEL: name}
    return {
        "apiVersion": "batch/v1", "kind": "Job",
        "metadata": {"name": name, "namespace": NAMESPACE, "labels": labels},
        "spec": {"backoffLimit": 0, "ttlSecondsAfterFinished": 60,
                 "activeDeadlineSeconds": 7200 + keep_s,
                 "template": {"metadata": {"labels": labels}, "spec": spec}},
    }  # fmt: skip


def packed(files: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        for name, data in sorted(files.items()):
            info = tarfile.TarInfo(name)
            info.size, info.mode = len(data), 0o644
            tar.addfile(info, io.BytesIO(data))
    return out.getvalue()


def unpacked(data: bytes, reports: Path) -> tuple[Path, ...]:
    """Raises `InvalidRun` when it is not all there, or not as it was."""
    try:
        with tarfile.open(fileobj=io.BytesIO(data)) as tar:
            members = {m.name: (tar.extractfile(m) or io.BytesIO()).read() for m in tar}
        sums = json.loads(members.pop("SUMS"))
    except (tarfile.TarError, KeyError, ValueError) as error:
        raise InvalidRun(f"the run directory did not come whole: {error}") from None
    for name, wanted in sums.items():
        if hashlib.sha256(members.get(name, b"")).hexdigest() != wanted:
            raise InvalidRun(f"the run directory did not come whole: {name} differs")
    for name in sums:
        path = (reports / name).resolve()
        if reports.resolve() not in path.parents:
            raise UsageError(f"a file of the run lies outside of it: {name}")
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        path.write_bytes(members[name])
    return tuple(sorted({reports / Path(name).parts[0] for name in sums if "/" in name[2:]}))


def _started(made: Submission) -> Pod:
    until = time.monotonic() + READY_S
    while time.monotonic() < until:
        pod = made.pod()
        if pod and pod.ready:
            return pod
        if pod and any(word in pod.waiting for word in ("Image", "Error", "Failed")):
            raise NotReady(f"{made.name} cannot start: {pod.waiting}",
                           hint="--image names the image of harness")  # fmt: skip
        time.sleep(_LOOK_S)
    raise NotReady(f"{made.name} did not start within {READY_S:g} s",
                   hint=f"kubectl -n {NAMESPACE} describe job {made.name}")  # fmt: skip


def _executed(
    api: Api, pod: Pod, command: tuple[str, ...], given: bytes = b"", within_s: float = 30.0
) -> tuple[bytes, str]:
    """Its stdout and its status, in the pod's only container. Raises `ApiError` when it has not
    ended by then: a cluster that falls silent does not end a stream."""
    log = Path("/dev/null")
    stream = Exec(api, pod.namespace, pod.name, command, log, container="harness")
    late = threading.Event()

    def give_up() -> None:
        late.set()
        stream.cut()

    timer = threading.Timer(within_s, give_up)
    timer.daemon = True
    timer.start()
    data = b""
    try:
        with contextlib.suppress(OSError):
            stream.writer.write(given)
            stream.writer.close()
            data = stream.reader.read()
        if late.is_set():
            said = f"{command[0]} in {pod.name} did not end within {within_s:g} s"
            raise ApiError(0, "Unreachable", said)
        return data, stream.ended(_STATUS_S)
    finally:
        timer.cancel()
        stream.close()
        stream.reader.close()
