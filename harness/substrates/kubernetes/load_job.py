"""Load workers in the cluster: an Indexed Job, a worker in each pod and a station to speak for it.

Whoever dies, the load ends: a station ends its worker when its lease is not renewed, the Job with
the first pod that fails and at its deadline, and the cluster deletes what has ended.
"""

from __future__ import annotations

import contextlib
import hashlib
import logging
import os
import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

from harness.errors import NotReady
from harness.experiment.system_model import AgentPod
from harness.load.mirror import Given, Mirror
from harness.load.spec import WorkerSpec
from harness.substrates.kubernetes import manifest, restricted
from harness.substrates.kubernetes.agents import hopeless, refusal
from harness.substrates.kubernetes.api import Api, ApiError
from harness.substrates.kubernetes.objects import Pod, pod_of
from harness.substrates.kubernetes.stream import Exec
from harness.substrates.substrate import Needs

NAME = "harness-load"
READY_S = 60.0
_LOOK_S = 0.1
_PLACE = "/load"
_INDEX = "batch.kubernetes.io/job-completion-index"
_REFERENCE = re.compile(r"\$\(env:([^()]+)\)")

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class LoadJob:
    """`place` says where and how its pods live; they are `workers`, for `lasts_s`."""

    api: Api
    place: AgentPod
    run_id: str
    workers: int
    lasts_s: float
    directory: Path

    @property
    def name(self) -> str:
        return f"{NAME}-{hashlib.sha256(self.run_id.encode()).hexdigest()[:10]}"

    @property
    def jobs(self) -> str:
        return f"/apis/batch/v1/namespaces/{self.place.namespace}/jobs"

    @property
    def pods_path(self) -> str:
        return f"/api/v1/namespaces/{self.place.namespace}/pods"

    def pods(self) -> dict[int, Pod]:
        """By the index of their worker."""
        found = map(pod_of, self.api.items(self.pods_path, labelSelector=f"job-name={self.name}"))
        return {int(dict(p.annotations).get(_INDEX, 0)): p for p in found if not p.leaving}

    def launch(self, pods: dict[int, Pod], spec: WorkerSpec) -> Mirror:
        """Start one worker in its pod. Raises `NotReady`."""
        pod = pods[spec.worker]
        try:
            return Mirror(
                *_packed(spec), place=f"{pod.name} on {pod.node}", join=partial(self._join, pod),
                why=partial(self._why, pod),
            )  # fmt: skip
        except (ApiError, OSError, ValueError) as error:
            raise NotReady(f"load worker {spec.worker} does not answer in {pod.name}: {error}",
                           where=str(self._log)) from None  # fmt: skip

    @property
    def _log(self) -> Path:
        return self.directory / "load-pods.log"

    def _join(self, pod: Pod) -> Exec:
        command = ("python3", "-m", "harness.load.joining", _PLACE)
        return Exec(self.api, pod.namespace, pod.name, command, self._log, container="load")

    def _why(self, pod: Pod) -> str:
        """What became of that very pod; empty while it is there, or nobody can tell."""
        try:
            now = pod_of(self.api.once("GET", f"{self.pods_path}/{pod.name}", read_s=2.0))
        except ApiError as error:
            return f"{pod.name} is gone" if error.status == 404 else ""
        if now.uid != pod.uid:
            return f"{pod.name} is gone"
        if now.ended or now.leaving:
            said = now.waiting or ("being deleted" if now.leaving else now.phase.lower())
            return f"{pod.name} on {pod.node} is no more: {said}"
        return ""


Launch = Callable[[WorkerSpec], Mirror]


@contextlib.contextmanager
def workers_for(
    api: Api, place: AgentPod, needs: Needs, directory: Path
) -> Iterator[Launch | None]:
    """What starts those that a run needs in the cluster; None where it needs none."""
    if not needs.load_workers:
        yield None
        return
    job = LoadJob(api, place, needs.run_id, needs.load_workers, needs.lasts_s, directory)
    with workers_on(job) as launch:
        yield launch


@contextlib.contextmanager
def workers_on(job: LoadJob) -> Iterator[Launch]:
    """Its pods, all running. Raises `Refused`, `NotReady`."""
    try:
        _make_room(job)
        job.api.create(job.jobs, manifest_of(job))
        pods = _awaited(job)
        yield partial(job.launch, pods)
    except ApiError as error:
        raise refusal(error, f"no load from namespace {job.place.namespace}") from None
    finally:
        _remove(job)


def manifest_of(job: LoadJob) -> dict[str, Any]:
    place, labels = job.place, {manifest.LABEL: NAME, manifest.RUN: manifest.label_of(job.run_id)}
    mounts, volumes = restricted.writable("load", _PLACE)
    container = {
        "name": "load", "image": place.image, "imagePullPolicy": "IfNotPresent",
        "command": ["python3", "-m", "harness.load.station", _PLACE],
        "env": [{"name": "HOME", "value": _PLACE}],
        "securityContext": restricted.CONTAINER, "volumeMounts": mounts,
        "resources": {"requests": {"cpu": place.cpu, "memory": place.memory},
                      "limits": {"memory": place.memory}},
    }  # fmt: skip
    spread = {
        "maxSkew": 1,
        "topologyKey": "kubernetes.io/hostname",
        "whenUnsatisfiable": "ScheduleAnyway",
        "labelSelector": {"matchLabels": labels},
    }
    pod = {
        "restartPolicy": "Never", "automountServiceAccountToken": False,
        "enableServiceLinks": False, "securityContext": restricted.POD,
        "terminationGracePeriodSeconds": 2, "topologySpreadConstraints": [spread],
        "containers": [container], "volumes": volumes, **manifest.placed(place),
    }  # fmt: skip
    return {
        "apiVersion": "batch/v1", "kind": "Job",
        "metadata": {"name": job.name, "namespace": place.namespace, "labels": labels,
                     "annotations": {manifest.RUN: job.run_id}},
        "spec": {"completionMode": "Indexed", "completions": job.workers,
                 "parallelism": job.workers, "backoffLimit": 0,
                 "activeDeadlineSeconds": int(job.lasts_s) + 2 * manifest.MARGIN_S,
                 "ttlSecondsAfterFinished": manifest.TTL_S,
                 "template": {"metadata": {"labels": labels}, "spec": pod}},
    }  # fmt: skip


def _make_room(job: LoadJob) -> None:
    """A namespace of its own, where nobody has installed it."""
    job.api.ensure("/api/v1/namespaces", restricted.namespace(job.place.namespace))


def _awaited(job: LoadJob) -> dict[int, Pod]:
    until = time.monotonic() + READY_S
    while True:
        pods = job.pods()
        if len(pods) == job.workers and all(pod.ready for pod in pods.values()):
            return pods
        hint = "the System file names their image: kubernetes.load.image"
        for worker, pod in sorted(pods.items()):
            if why := hopeless(pod):
                raise NotReady(f"load worker {worker} cannot start: {why}", hint=hint)
        if time.monotonic() > until:
            ready = sum(pod.ready for pod in pods.values())
            said = "; ".join(
                f"{p.name}: {p.waiting or p.phase}" for p in pods.values() if not p.ready
            )
            raise NotReady(
                f"{ready} of {job.workers} load workers are there within {READY_S:g} s"
                + (f": {said}" if said else ""),
                hint=f"kubectl -n {job.place.namespace} describe job {job.name}",
            )
        if job.api.abort.wait(_LOOK_S):
            raise NotReady("the load workers were not waited for")


def _remove(job: LoadJob) -> None:
    """Its deadline ends it where this does not."""
    try:
        job.api.delete(f"{job.jobs}/{job.name}", propagationPolicy="Background")
    except ApiError as error:
        log.warning("the Job of the load was not deleted: %s", error.told)


def end_load(api: Api, namespace: str, run_id: str) -> tuple[str, ...]:
    """Delete what a dead run left; which Jobs those were. Raises `ApiError`."""
    mine = f"{manifest.LABEL}={NAME},{manifest.RUN}={manifest.label_of(run_id)}"
    return _end(api, namespace, mine, lambda _: True)


def end_idle_load(api: Api, namespace: str) -> tuple[str, ...]:
    """The same of whatever runs: a load that has no worker, so long after its beginning, has nobody
    who waits for it any more. Raises `ApiError`."""
    return _end(api, namespace, f"{manifest.LABEL}={NAME}", _is_idle)


def _end(
    api: Api, namespace: str, labels: str, is_over: Callable[[dict[str, Any]], bool]
) -> tuple[str, ...]:
    jobs = f"/apis/batch/v1/namespaces/{namespace}/jobs"
    found = [item["metadata"] for item in api.items(jobs, labelSelector=labels) if is_over(item)]
    for meta in found:
        api.delete(f"{jobs}/{meta['name']}", propagationPolicy="Background",
                   preconditions={"uid": meta["uid"]})  # fmt: skip
    return tuple(f"job/{namespace}/{meta['name']}" for meta in found)


def _is_idle(job: dict[str, Any]) -> bool:
    begun = datetime.fromisoformat(job["metadata"]["creationTimestamp"])
    old = datetime.now(tz=UTC) - begun > timedelta(seconds=READY_S + manifest.MARGIN_S)
    return old and not job.get("status", {}).get("ready")


def _packed(spec: WorkerSpec) -> tuple[WorkerSpec, Given]:
    """The spec as it is there: the users' file, and Python beside it, are sent along."""
    users = Path(spec.plan.users) if spec.plan.users else None
    files = {f"users/{p.name}": p.read_bytes() for p in users.parent.glob("*.py")} if users else {}
    there = replace(spec.plan, users=f"users/{users.name}" if users else "")
    texts = repr((spec.plan.headers, spec.plan.requests))
    wanted = {name: os.environ[name] for name in _REFERENCE.findall(texts) if name in os.environ}
    return replace(spec, plan=there), Given(files, wanted)
