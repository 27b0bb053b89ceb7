"""Wrong credentials, API servers in trouble, agents that cannot come: said, and nothing is left."""

import base64
import json
import socket
import ssl
import subprocess
import threading
import time
from pathlib import Path

import pytest
from between import DEAF, DROP, between
from clusters import until
from devcluster import layout
from test_runs_on_pods import PAUSE, SPACE, place, stopped, targets

__all__ = ["place", "targets"]  # fixtures
SHORT = PAUSE.replace("FOR", "3s")
LONG = PAUSE.replace("FOR", "40s")
STRICT = "strict-agents"


@pytest.fixture
def proxied(place, targets):
    """Commands of this place go through a proxy, which can make trouble."""
    with between(targets.kubeconfig) as proxy:
        place.environment["HARNESS_KUBECONFIG"] = str(proxy.kubeconfig(place.path / "between"))
        yield proxy


# ---------------------------------------------------------------- the server in trouble


def test_a_run_through_every_trouble_that_passes_is_a_run(place, targets, proxied):
    def trouble(method, path, number):
        if method == "POST" and "reviews" not in path and "exec" not in path:
            return (DEAF, 503)[number] if number < 2 else ""
        if method == "DELETE":
            return (429, DROP)[number] if number < 2 else ""
        if "/exec?" in path and not number:
            return 503
        if number == 1 and path.partition("?")[0].endswith("/pods"):
            return 410
        return {3: 429, 5: DROP, 7: 503}.get(number, "")

    proxied.trouble = trouble
    place.experiment(SHORT)
    status, said = place.run("run", "experiment.yaml")
    assert status == 0, said
    assert {what for what, *_ in proxied.made} >= {429, 410, 503, DROP, DEAF}
    assert all(effect["confirmed"] for effect in place.record()["effects"])
    assert stopped(targets) == [False, False]


def test_lines_to_agents_that_are_cut_end_the_fault_and_the_run(place, targets, proxied):
    place.experiment(LONG)
    run = place.start("run", "experiment.yaml")
    place.until_held()
    until("both stand still", lambda: stopped(targets) == [True, True], 10)
    proxied.cut()
    assert until("all pods run", lambda: stopped(targets) == [False, False], 30) < 3 * 10
    said, _ = run.communicate(timeout=60)
    assert run.returncode == 6, said
    assert "Traceback" not in said


def test_a_server_that_falls_silent_holds_no_run_for_long(place, targets, proxied):
    """It takes connections and keeps them, and says nothing any more. The agents go by their lease;
    the harness cannot have seen that, and says so within 30 s and the lease."""
    place.experiment(LONG)
    run = place.start("run", "experiment.yaml")
    place.until_held()
    proxied.hushed.set()
    until("all pods run", lambda: stopped(targets) == [False, False], 3 * 5)
    begun = time.monotonic()
    said, _ = run.communicate(timeout=200)
    assert time.monotonic() - begun < 3 * 35
    assert run.returncode == 5, said
    assert "no answer within 3 s" in " ".join(said.split())
    assert said.rstrip().splitlines()[-1].startswith("harness recover"), said
    place.environment["HARNESS_KUBECONFIG"] = str(targets.kubeconfig)
    status, said = place.run("recover", place.run_id(), timeout_s=120)
    assert status in (0, 5), said


def test_a_server_that_is_away_and_restarts_is_waited_for(place, targets, nodes, proxied):
    """And a change that somebody else's crossed is made again: ours says only what it means. What
    the cluster saw goes on behind watches that are cut, too old and gone, and each gap is told."""
    proxied.trouble = lambda method, _, number: 409 if method == "PATCH" and not number else ""
    place.experiment("{id: more, at: 1s, for: 12s, fault: scale.to, target: web, replicas: 3}")
    run = place.start("run", "experiment.yaml")
    place.until_held(1)
    old = []
    proxied.trouble = lambda _, path, __: once(old, path) if "/pods?" in path else ""
    proxied.cut_watches()
    until("a watch was too old", lambda: old, 10)
    proxied.trouble = lambda *_: DROP
    time.sleep(2)
    targets.node("exec", "cp", "pkill", "-9", "kube-apiserver")
    proxied.trouble = lambda *_: ""
    said, _ = run.communicate(timeout=120)
    assert run.returncode == 0, said
    assert targets.get("-n", SPACE, "deploy", "web")["spec"]["replicas"] == 2
    assert {409, 410, DROP} <= {what for what, *_ in proxied.made}
    saw = place.record()["cluster"]
    for name in ("pods", "deployments", "statefulsets", "endpoints", "events", "nodes"):
        told = [one["state"] for one in saw if (one["kind"], one["name"]) == ("watch", name)]
        assert told, name
        assert told == ["lost", "back"] * (len(told) // 2), (name, told)
        assert any(f"the cluster's {name} were not seen" in w for w in place.record()["warnings"])
    assert any("remembers no more (410)" in one["says"] for one in saw)
    back = max(one["at_s"] for one in saw if one["kind"] == "watch")
    after = [(one["kind"], one["state"]) for one in saw if one["at_s"] > back]
    assert ("pod", "leaving") in after, "that of the third replica, seen after all gaps"


def once(made, path):
    """410 to the first watch there."""
    if made or "watch=true" not in path:
        return ""
    made.append(path)
    return 410


# ---------------------------------------------------------------- credentials


def test_a_client_certificate_that_has_expired(place, targets, nodes):
    config = json.loads(Path(targets.kubeconfig).read_text())
    certificate, key = expired(targets, place.path, "/O=system:masters/CN=late")
    config["users"][0]["user"] = {
        "client-certificate-data": encoded(certificate), "client-key-data": encoded(key)
    }  # fmt: skip
    status, said = planned(place, config)
    assert status == 2, said
    assert "credentials of the kubeconfig are not accepted" in said
    assert "expired" in said
    assert config["clusters"][0]["cluster"]["server"] in said


def test_a_server_whose_certificate_has_expired(place, targets, nodes):
    certificate, key = expired(targets, place.path, "/CN=127.0.0.1")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    config = json.loads(Path(targets.kubeconfig).read_text())
    with socket.create_server(("127.0.0.1", 0)) as listening:
        threading.Thread(target=greet, args=(listening, context), daemon=True).start()
        there = f"https://127.0.0.1:{listening.getsockname()[1]}"
        config["clusters"][0]["cluster"]["server"] = there
        begun = time.monotonic()
        status, said = planned(place, config)
    assert status == 6, said
    assert "certificate has expired" in said
    assert there in said
    assert time.monotonic() - begun < 15, "there is nothing to wait for"


def greet(listening, context):
    while True:
        try:
            with context.wrap_socket(listening.accept()[0], server_side=True) as one:
                one.recv(1)
        except ssl.SSLError:
            continue
        except OSError:
            return


def planned(place, config):
    path = place.path / "other"
    path.write_text(json.dumps(config))
    place.experiment(SHORT)
    return place.run("plan", "experiment.yaml", "--kubeconfig", str(path))


def expired(cluster, folder, subject):
    """A certificate of the cluster's own authority, good for one day of 2020, and its key."""
    pki = layout.clusters() / cluster.name / "pki"
    (folder / "index").touch()
    (folder / "serial").write_text("01")
    (folder / "ca.cnf").write_text(
        f"[ca]\ndefault_ca = it\n[it]\ndatabase = {folder}/index\nserial = {folder}/serial\n"
        f"new_certs_dir = {folder}\ndefault_md = sha256\npolicy = any\nx509_extensions = names\n"
        "[any]\norganizationName = optional\ncommonName = supplied\n"
        "[names]\nsubjectAltName = IP:127.0.0.1\n"
    )
    key, request, certificate = (folder / f"late.{kind}" for kind in ("key", "csr", "crt"))
    openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj",
            subject, "-keyout", key, "-out", request)  # fmt: skip
    openssl("ca", "-batch", "-notext", "-config", folder / "ca.cnf", "-in", request, "-out",
            certificate, "-cert", pki / "ca.crt", "-keyfile", pki / "ca.key", "-startdate",
            "20200101000000Z", "-enddate", "20200102000000Z")  # fmt: skip
    return certificate, key


def openssl(*words):
    subprocess.run(["openssl", *map(str, words)], check=True, capture_output=True)


def encoded(path):
    return base64.b64encode(path.read_bytes()).decode()


# ---------------------------------------------------------------- a crowd


def test_five_hundred_pods_in_the_namespace(place, targets):
    """Lists come in pages, messages stay short, and whoever is beside the target feels nothing."""
    crowd = json.dumps(CROWD)
    targets.kubectl("apply", "-f", "-", given=crowd)
    system = place.path / "system.yaml"
    try:
        until("all are there", lambda: there_are(targets, "app=crowd") == len_of(CROWD), 120)
        place.experiment(SHORT)
        status, said = place.run("run", "experiment.yaml")
        assert status == 0, said
        assert all(effect["confirmed"] for effect in place.record()["effects"])
        system.write_text(system.read_text() + "    crowd: {workload: deploy/crowd, port: 8080}\n")
        place.experiment(SHORT.replace("web", "crowd"))
        status, said = place.run("run", "experiment.yaml")
        assert status == 6, said
        assert f"{len_of(CROWD)} pods of the system are not ready" in " ".join(said.split())
        place.experiment(SHORT.replace("web", "crowd"))
        path = place.path / "experiment.yaml"
        path.write_text(path.read_text() + "  guard: {blast_radius: {pods: 20}}\n")
        status, said = place.run("plan", "experiment.yaml")
        assert status == 2, said
        assert f"touches {len_of(CROWD)} pods" in said
        assert len(said) < 1000, "not all of their names"
    finally:
        targets.kubectl("-n", SPACE, "delete", "deploy", "crowd", "--wait=false")


CROWD = {
    "apiVersion": "apps/v1", "kind": "Deployment",
    "metadata": {"name": "crowd", "namespace": SPACE},
    "spec": {
        "replicas": 501, "selector": {"matchLabels": {"app": "crowd"}},
        "template": {
            "metadata": {"labels": {"app": "crowd"}},
            "spec": {"nodeSelector": {"is": "nowhere"},
                     "containers": [{"name": "app", "image": "none"}]},
        },
    },
}  # fmt: skip


def len_of(deployment):
    return deployment["spec"]["replicas"]


def there_are(cluster, labels):
    words = ("-n", SPACE, "get", "pods", "-l", labels, "-o", "name", "--chunk-size=0")
    return len(cluster.kubectl(*words).split())


# ---------------------------------------------------------------- agents that cannot come or act


def test_pod_security_that_refuses_agents(place, targets):
    strict = {"pod-security.kubernetes.io/enforce": "restricted"}
    meta = {"name": STRICT, "labels": strict}
    given = {"apiVersion": "v1", "kind": "Namespace", "metadata": meta}
    targets.kubectl("apply", "-f", "-", given=json.dumps(given))
    system = place.path / "system.yaml"
    here = f"{{namespace: {SPACE}}}"
    there = f"{{namespace: {SPACE}, agent: {{namespace: {STRICT}}}}}"
    system.write_text(system.read_text().replace(here, there))
    place.experiment(SHORT)
    try:
        status, said = place.run("run", "experiment.yaml")
        assert status == 6, said
        assert 'violates PodSecurity "restricted' in said
        assert f"label namespace {STRICT}" in said
        looked, found = place.run("doctor", "--system", "system.yaml")
        assert looked == 6, found
        assert f"FAIL privileged agents in namespace {STRICT}: it enforces restricted" in found
    finally:
        targets.kubectl("delete", "namespace", STRICT, "--wait=false")


def test_a_node_without_the_mechanism(place, targets, nodes):
    """Its kernel has no netem, its tap device is hidden, and the last rung cannot do all."""
    name, pod = next(iter(targets.pods(SPACE, "app=web,!decoy").items()))
    there = ("exec", pod["spec"]["nodeName"])
    targets.node(*there, "mount", "--bind", "/dev/null", "/dev/net/tun")
    try:
        line = f"fault: network.partition, target: pod/{name}, mode: reject"
        place.experiment(f"{{id: cut, at: 1s, for: 3s, {line}}}")
        status, said = place.run("run", "experiment.yaml")
    finally:
        targets.node(*there, "umount", "/dev/net/tun")
    assert status == 6, said
    flat = " ".join(said.split())
    assert f"pod/{SPACE}/{name}" in flat
    assert "nothing here can change a link" in flat
    for why in ("; netem: the kernel's queues", "; tapnetem: Inapp", "; nfqueue: NFQUEUE cannot"):
        assert why in flat, flat
