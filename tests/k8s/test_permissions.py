"""Every fault as a ServiceAccount that has exactly its verbs; and with one of them missing."""

import json
import re
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml
from clusters import ENVIRONMENT, LISTENS, until
from devcluster import layout

from harness.cli.options import load
from harness.errors import Refused
from harness.experiment.system_model import AgentPod
from harness.faults import registry
from harness.faults.examples import example
from harness.run.plan import make_plan
from harness.substrates.kubernetes.manifest import sight
from harness.substrates.kubernetes.permissions import WITHOUT_AGENT, Request, Use, needed
from harness.substrates.registry import substrate_for

HARNESS = (sys.executable, "-P", "-m", "harness.cli.main")
AGENTS = "harness-agents"
ACCOUNTS = "verbs-accounts"
#: Everybody who is known may ask what he may: `system:basic-user`, not a Role of ours.
ANYBODY = {
    ("create", "authentication.k8s.io", "selfsubjectreviews"),
    ("create", "authorization.k8s.io", "selfsubjectrulesreviews"),
    ("create", "authorization.k8s.io", "selfsubjectaccessreviews"),
}
#: Needed to recover, where something goes wrong, or by a server of another version; and a short run
#: renews nothing.
SELDOM = {
    ("get", "", "pods"), ("list", "batch", "jobs"),
    ("list", "policy", "poddisruptionbudgets"),  # of a cluster's namespaces: one by one
    ("get", "coordination.k8s.io", "leases"), ("update", "coordination.k8s.io", "leases"),
    ("create", "", "pods/exec"), ("list", "", "events"),
}  # fmt: skip
#: Of the Leases of agents in their targets: of dead runs, and of what the API server holds.
NOT_ABOARD = {
    ("list", "coordination.k8s.io", "leases"), ("patch", "coordination.k8s.io", "leases"),
}  # fmt: skip
NOT_HERE = ("service.restart",)
ONCE = ("pod.delete", "process.kill", "container.kill")
ENDED = ("gone", "target_gone")
AT_ONCE = 3
#: The power itself is no matter of the API server: test_platform_faults really cuts it.
NODES = {"node.drain": "n2", "node.down": "n3"}
#: Faults that act through an agent need the same verbs: they share a run; these have their own.
ALONE = ("pod.delete", "zone.down", *WITHOUT_AGENT)
#: Agents in their targets need others.
ABOARD = ("network.latency", "network.loss")
APP = (
    """
apiVersion: v1
kind: Namespace
metadata: {name: SPACE, labels: {harness.dev/allow: all}}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: NAME, namespace: SPACE, labels: {verbs: "yes"}}
spec:
  replicas: 1
  selector: {matchLabels: {app: NAME}}
  template:
    metadata: {labels: {app: NAME}}
    spec:
      terminationGracePeriodSeconds: 1
      nodeSelector: {kubernetes.io/hostname: NODE}
"""
    + LISTENS
    + "---\n"
)
SYSTEM = """
apiVersion: harness/v1
kind: System
metadata: {name: verbs}
spec:
  kubernetes:
    namespace: SPACE
    context: CONTEXT
    power: {cut: "true {node}", restore: "true {node}"}
  services:
    app: {workload: deploy/app, port: 8080}
    caller: {workload: deploy/caller, port: 8080, calls: [app]}
"""
EXPERIMENT = """
apiVersion: harness/v1
kind: Experiment
metadata: {name: verbs}
spec:
  hypothesis: These verbs are all that it needs.
  system: system.yaml
  settle: 1s
  timeline: TIMELINE
  guard: {blast_radius: {namespaces: SPACES, budgets: [api], quorums: [database]}}
  objectives: []
"""


@dataclass(frozen=True)
class Group:
    """Faults that are tried in one run, by one account, in one namespace; `aboard`: by agents in
    their targets."""

    name: str
    faults: tuple[str, ...]
    aboard: bool = False

    @property
    def space(self):
        return f"verbs-{self.name}"

    @property
    def user(self):
        return f"system:serviceaccount:{ACCOUNTS}:{self.name}"

    @property
    def needs(self):
        uses = tuple(Use(fault, "deployment") for fault in self.faults)
        return needed(uses, ("deployment",), aboard=self.aboard)


def groups():
    known = [name for name in registry.names() if name not in NOT_HERE]
    shared = tuple(name for name in known if name not in ALONE)
    own = (Group(re.sub("[._]", "-", name), (name,)) for name in ALONE)
    return (Group("agents", shared), Group("aboard", ABOARD, aboard=True), *own)


def timeline(faults):
    """One after the other in each family, the families beside each other; who kills comes last."""
    lines, at = [], {}
    for fault in faults:
        family = fault.partition(".")[0]
        begin = at[family] = at.get(family, 0) + 1
        alone = len(faults) == 1
        late = 0 if alone or fault not in ONCE else 12
        lines.append(line(fault, begin + late, NODES.get(fault, "n1") if alone else "n1"))
    return lines


def line(fault, at, node):
    fields = {name: example(info) for name, info in registry.find(fault).model_fields.items()
              if info.is_required()}  # fmt: skip
    family = fault.partition(".")[0]
    where = {"node": f"node/{node}", "zone": "zone/a", "process": "caller"}
    held = {} if fault in ONCE else {"for": "1s"}
    given = {"replicas": 2} if fault == "scale.to" else {}
    place = {"from": "caller", "to": "app"} if family == "dependency" else {
        "target": where.get(family, "app")}  # fmt: skip
    name = re.sub("[._]", "-", fault)
    return {"id": name, "at": f"{at}s", "fault": fault, **held, **place, **fields, **given}


# ---------------------------------------------------------------- accounts that may just so much


def role(requests, where):
    return [
        {"apiGroups": [r.group], "resources": [r.resource], "verbs": [r.verb]}
        for r in requests
        if place_of(r) == where
    ]


def place_of(request):
    return "targets" if request.where == "ephemeral" else request.where


def roles(name, requests, namespaces):
    """What binds an account to them: a Role in each namespace, a ClusterRole for the rest."""
    subject = {"kind": "ServiceAccount", "name": name, "namespace": ACCOUNTS}
    for where in ("targets", "agents", "cluster"):
        kind = "ClusterRole" if where == "cluster" else "Role"
        meta = {"name": f"verbs-{name}", "namespace": namespaces.get(where, "")}
        meta = {key: value for key, value in meta.items() if value}
        reference = {"apiGroup": "rbac.authorization.k8s.io", "kind": kind, "name": meta["name"]}
        api = {"apiVersion": "rbac.authorization.k8s.io/v1", "metadata": meta}
        yield {**api, "kind": kind, "rules": role(requests, where)}
        yield {**api, "kind": f"{kind}Binding", "roleRef": reference, "subjects": [subject]}


def account(name):
    meta = {"name": name, "namespace": ACCOUNTS}
    return {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": meta}


def bound(group):
    return roles(group.name, group.needs, {"targets": group.space, "agents": AGENTS})


@pytest.fixture(scope="module")
def accounts(cluster, nodes, tmp_path_factory):
    """A kubeconfig with a context for each group's account; their targets are ready."""
    things = [{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": ACCOUNTS}}]
    for group in groups():
        things += [account(group.name), *bound(group), *sight(group.space, AgentPod())]
    apps = "".join(app(group) for group in groups())
    cluster.kubectl("create", "namespace", AGENTS, check=False)
    labels = "pod-security.kubernetes.io/enforce=privileged"
    cluster.kubectl("label", "namespace", AGENTS, "--overwrite", labels)
    agent = {"apiVersion": "v1", "kind": "ServiceAccount",
             "metadata": {"name": "harness-agent", "namespace": AGENTS}}  # fmt: skip
    given = apps + "\n---\n".join(map(json.dumps, [*things, agent]))
    cluster.kubectl("apply", "-f", "-", given=given)
    config = json.loads(Path(cluster.kubeconfig).read_text())
    server = config["clusters"][0]["name"]
    config |= {"users": [], "contexts": [], "current-context": groups()[0].name}
    for group in groups():
        words = ("-n", ACCOUNTS, "create", "token", group.name, "--duration=1h")
        token = cluster.kubectl(*words).strip()
        config["users"].append({"name": group.name, "user": {"token": token}})
        context = {"cluster": server, "user": group.name}
        config["contexts"].append({"name": group.name, "context": context})
    path = tmp_path_factory.mktemp("verbs") / "kubeconfig"
    path.write_text(json.dumps(config))
    words = ("wait", "deploy", "-A", "-l", "verbs", "--for=condition=Available", "--timeout=90s")
    cluster.kubectl(*words, timeout_s=100)
    yield path
    spaces = (ACCOUNTS, *(group.space for group in groups()))
    cluster.kubectl("delete", "namespace", *spaces, "--wait=false")
    roles = [f"verbs-{group.name}" for group in groups()]
    for kind in ("clusterrole", "clusterrolebinding"):
        cluster.kubectl("delete", kind, *roles)


def app(group):
    node = NODES.get(group.faults[0], "n1")
    text = APP + APP.replace("NAME", "caller").partition("---\n")[2]
    return text.replace("SPACE", group.space).replace("NAME", "app").replace("NODE", node)


def written(group, faults, place, spaces):
    place.mkdir(exist_ok=True)
    text = SYSTEM.replace("SPACE", group.space).replace("CONTEXT", group.name)
    agents = "    agent: {way: ephemeral}\n    power:" if group.aboard else "    power:"
    (place / "system.yaml").write_text(text.replace("    power:", agents))
    lines = json.dumps(timeline(faults))
    text = EXPERIMENT.replace("TIMELINE", lines).replace("SPACES", json.dumps(spaces))
    (place / "experiment.yaml").write_text(text)
    return place / "experiment.yaml"


def everywhere(cluster):
    """Who a node without power takes along has to be named."""
    return [item["metadata"]["name"] for item in cluster.get("namespaces")["items"]]


# ------------------------------------------------------------ each fault with exactly its verbs


def test_each_fault_runs_with_exactly_its_verbs(cluster, accounts, tmp_path):
    """Groups have nothing in common but the cluster. Whether short faults on a busy machine are
    confirmed is not asked here: that they were made, and taken back, is."""
    begun = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime())
    with ThreadPoolExecutor(AT_ONCE) as pool:
        runs = pool.map(
            lambda group: run(group, tmp_path / group.name, accounts, everywhere(cluster)), groups()
        )
        said = dict(zip(groups(), runs, strict=True))
    events = audited(cluster, begun)
    for group in groups():
        steps = journal(tmp_path / group.name)
        assert {kind for step, kind in steps if step in ("injected", "acted")} == set(group.faults)
        assert {kind for step, kind in steps if step in ENDED} == set(group.faults), said[group]
        asked = asked_by(group.user, events)
        may = {(place_of(r), *r.asked) for r in group.needs}
        assert {one for one in asked if one[1:] not in ANYBODY} <= may
        assert {one[1:] for one in may - asked} <= SELDOM | (NOT_ABOARD if group.aboard else set())
        assert not [e for e in events[group.user] if e["responseStatus"]["code"] == 403]


def test_the_doctor_tells_what_an_account_may(accounts, tmp_path):
    """One that may scale has no agents to look at nodes, and is told why not."""
    group = next(group for group in groups() if group.faults == ("scale.to",))
    place = written(group, group.faults, tmp_path / "doctor", []).parent
    words = ("--system", "system.yaml", "--kubeconfig", str(accounts), "--json")
    done = subprocess.run(
        [*HARNESS, "doctor", *words], cwd=place, text=True, capture_output=True, check=False
    )
    assert done.returncode == 0, done.stderr
    checks = {check["what"]: check["why_not"] for check in json.loads(done.stdout)}
    assert checks["faults that can be made here: rollout.bad_image, scale.to"] == ""
    assert "create jobs.batch in namespace harness-agents" in checks["agents may be started"]
    (why,) = (why for what, why in checks.items() if what == "refused here: pod.delete")
    assert "delete pods in namespace verbs-scale-to" in why


def run(group, place, kubeconfig, spaces):
    written(group, group.faults, place, spaces)
    done = subprocess.run(
        [*HARNESS, "run", "experiment.yaml", "--kubeconfig", str(kubeconfig)],
        env={**ENVIRONMENT, "XDG_STATE_HOME": str(place / "state")}, cwd=place, text=True,
        capture_output=True, timeout=200, check=False,
    )  # fmt: skip
    assert done.returncode in (0, 6), done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    return done.stdout + done.stderr


def journal(place):
    """(step, fault) of each effect."""
    kinds = {line["id"]: line["fault"] for line in timeline_of(place)}
    lines = map(json.loads, (place / "reports/last/journal.jsonl").read_text().splitlines())
    told = ((line["step"], line.get("effect", "").partition("/")[0]) for line in lines)
    return {(step, kinds[effect]) for step, effect in told if effect in kinds}


def timeline_of(place):
    return yaml.safe_load((place / "experiment.yaml").read_text())["spec"]["timeline"]


def audited(cluster, since):
    """What was asked since, by user."""
    log = layout.clusters() / cluster.name / "cp/disk/var/log/audit.log"
    found = {}
    for text in log.read_text().splitlines():
        event = json.loads(text)
        if event["stageTimestamp"] >= since and "objectRef" in event:
            found.setdefault(event["user"]["username"], []).append(event)
    return found


def asked_by(user, events):
    """(where, verb, group, resource/subresource), from the API server's audit log."""
    found = set()
    for event in events[user]:
        about = event["objectRef"]
        resource = "/".join(filter(None, (about["resource"], about.get("subresource"))))
        where = {"": "cluster", AGENTS: "agents"}.get(about.get("namespace", ""), "targets")
        found.add((where, event["verb"], about.get("apiGroup", ""), resource))
    return found


# ------------------------------------------------------------ one verb is missing

EVERYTHING = Group("agents", tuple(name for name in registry.names() if name not in NOT_HERE))


@pytest.fixture
def everything(cluster, accounts, tmp_path, monkeypatch):
    """An experiment with every fault, and what its account may can be changed."""
    monkeypatch.setenv("HARNESS_KUBECONFIG", str(accounts))
    path = written(EVERYTHING, EVERYTHING.faults, tmp_path / "everything", everywhere(cluster))

    def grant(requests):
        where = {"targets": EVERYTHING.space, "agents": AGENTS}
        things = [t for t in roles(EVERYTHING.name, requests, where) if "rules" in t]
        cluster.kubectl("replace", "-f", "-", given="\n---\n".join(map(json.dumps, things)))

    yield path, grant
    grant(Group("agents", groups()[0].faults).needs)


def refusal(path):
    """The lines of a plan that is refused; none when it is not."""
    experiment = load(path, (), None)
    try:
        make_plan(experiment, substrate_for(experiment.system), 1, "plan")
    except Refused as refused:
        return refused.message.splitlines()
    return []


def says(request: Request):
    place = {"targets": EVERYTHING.space, "agents": AGENTS}.get(request.where)
    where = f"in namespace {place}" if place else "in the cluster"
    group = f".{request.group}" if request.group else ""
    whose = ", ".join(request.faults) or "every run"
    return f"    {request.verb} {request.resource}{group} {where}: {request.why} ({whose})"


def test_with_one_verb_missing_the_plan_says_which(everything):
    path, grant = everything
    head = f"{EVERYTHING.user} may not do all that this needs:"
    grant(EVERYTHING.needs)
    until("all of it may be planned", lambda: head not in refusal(path), 10)
    assert refusal(path) == []
    granted = {request.asked for request in EVERYTHING.needs if request.where == "cluster"}
    for request in EVERYTHING.needs:
        if request.where != "cluster" and request.asked in granted:
            continue  # who may everywhere, may there
        same = [r for r in EVERYTHING.needs if (r.where, r.asked) == (request.where, request.asked)]
        grant([r for r in EVERYTHING.needs if r not in same])
        wanted = [head, *map(says, same)]
        until(f"no {request.verb} {request.resource}", lambda w=wanted: refusal(path) == w, 5)
    done = subprocess.run(
        [*HARNESS, "plan", path], cwd=path.parent, text=True, capture_output=True, check=False,
    )  # fmt: skip
    assert done.returncode == 2
    assert says(EVERYTHING.needs[-1]) in done.stderr
    assert "Traceback" not in done.stderr
