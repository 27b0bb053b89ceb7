"""python -m devcluster COMMAND: a cluster to test on, and its nodes' power, cables, services."""

from __future__ import annotations

import argparse
import os
import signal
import sys
from collections.abc import Callable

from devcluster import (
    binaries,
    choice,
    cluster,
    crowd,
    docker,
    layout,
    loading,
    power,
    processes,
    wiring,
)
from devcluster.images import recipes
from devcluster.shell import attempt, run

_Options = argparse.Namespace
_SHOP = "scenarios/checkout/kubernetes"


def main() -> int:
    options = _parser().parse_args(_marked(sys.argv[1:]))
    os.environ["PATH"] = layout.search_path()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(4))  # what is half up is cleared away
    command: Callable[[_Options], int | None] = options.command
    try:
        return command(options) or 0
    except layout.Failed as failed:
        print(f"devcluster: {failed}", file=sys.stderr)
        return 1


def _marked(words: list[str]) -> list[str]:
    """`kubectl -n shop …`: what follows is kubectl's, options too."""
    after = words.index("kubectl") + 1 if "kubectl" in words[:3] else len(words)
    return [*words[:after], *(["--"] if words[after:] else []), *words[after:]]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="devcluster", description=__doc__)
    name = os.environ.get("HARNESS_DEVCLUSTER", "harness")
    parser.add_argument("--name", default=name, help="of the cluster; else $HARNESS_DEVCLUSTER")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def command(
        name: str, does: Callable[[_Options], int | None], *arguments: str
    ) -> argparse.ArgumentParser:
        added = commands.add_parser(name, help=does.__doc__)
        added.set_defaults(command=does)
        for argument in arguments:
            many = argument.endswith("*")
            added.add_argument(argument.rstrip("*"), nargs=argparse.REMAINDER if many else None)
        return added

    up = command("up", _up)
    up.add_argument("--workers", type=int, default=3, choices=range(1, 10))
    up.add_argument("--patient", action="store_true", help="for a crowd: nodes are never given up")
    command("shop", _shop)
    command("down", _down)
    command("status", _status)
    command("kubeconfig", _kubeconfig)
    command("kubectl", _kubectl, "words*")
    command("images", _images).add_argument("--harness", action="store_true", help="its own too")
    command("crowd", _crowd, "nodes", "pods")
    command("poweroff", _poweroff, "node")
    command("poweron", _poweron, "node")
    command("cable", _cable, "node", "state")
    command("stop", _stop, "node", "service")
    command("start", _start, "node", "service")
    command("exec", _exec, "node", "words*")
    return parser


def _up(options: _Options) -> None:
    """choose a cluster, bring it up, and say where its kubeconfig is"""
    chosen = choice.choose()
    print(f"cluster: {chosen.kind} ({chosen.why})", file=sys.stderr)
    if chosen.kubeconfig:
        path = chosen.kubeconfig
    elif chosen.kind == "namespaces":
        path = cluster.up(options.name, options.workers, patient=options.patient).kubeconfig
    else:
        path = docker.up(chosen.kind, options.name)
    print(f"export HARNESS_KUBECONFIG={path}")


def _shop(options: _Options) -> None:
    """put scenarios/checkout on it, and wait until all of it is ready"""
    if choice.choose().kubeconfig:
        print(
            f"a cluster that was given: kubectl apply -k {_SHOP} is yours to say", file=sys.stderr
        )
        return
    own = binaries.kubectl()
    program = str(own) if own.exists() else "kubectl"
    words = (program, f"--kubeconfig={layout.clusters() / options.name / 'kubeconfig'}")
    run(*words, "apply", "-k", str(recipes.REPOSITORY / _SHOP))
    for workload in ("statefulset/database", "deploy/cache", "deploy/api", "deploy/web"):
        run(*words, "-n", "shop", "rollout", "status", workload, "--timeout=90s", timeout_s=100)


def _down(options: _Options) -> None:
    """take the cluster down; one that was given is left alone"""
    if docker.is_up(options.name):
        docker.down(options.name)
    else:
        cluster.clean(layout.load(options.name))


def _status(options: _Options) -> int:
    """which nodes are on, and what the API server says of them"""
    known = layout.load(options.name)
    for node in known.names:
        pid = processes.pid_of(known, node)
        print(f"{node}\t{known.address(node)}\t{f'pid {pid}' if pid else 'off'}")
    asked = attempt(*_kubectl_words(known), "get", "nodes", "-o", "wide")
    print(asked.stdout or asked.stderr, end="")
    return asked.returncode


def _kubeconfig(options: _Options) -> None:
    """print its path"""
    print(layout.load(options.name).kubeconfig)


def _kubectl(options: _Options) -> None:
    """kubectl with its kubeconfig"""
    words = _kubectl_words(layout.load(options.name))
    os.execv(words[0], [*words, *options.words[1:]])


def _kubectl_words(known: layout.Layout) -> list[str]:
    return [str(binaries.kubectl()), f"--kubeconfig={known.kubeconfig}"]


def _images(options: _Options) -> None:
    """make the images that have changed, and load them into the running nodes"""
    own = recipes.build([recipes.harness()]) if options.harness else []
    loading.load_everywhere(layout.load(options.name), [*cluster.prepare(), *own])


def _crowd(options: _Options) -> None:
    """add so many nodes and pods that only the API server sees"""
    crowd.gather(layout.load(options.name), int(options.nodes), int(options.pods))


def _poweroff(options: _Options) -> None:
    """pull a node's plug"""
    power.off(*_node(options))


def _poweron(options: _Options) -> None:
    """boot it with the disk that it had"""
    power.on(*_node(options))


def _cable(options: _Options) -> None:
    """a node's network cable: up or down"""
    if options.state not in ("up", "down"):
        raise layout.Failed(f"a cable is up or down, not {options.state!r}")
    wiring.cable(*_node(options), options.state)


def _stop(options: _Options) -> None:
    """kill a service of a node, and keep it down"""
    power.stop(*_node(options), options.service)


def _start(options: _Options) -> None:
    """let a stopped service run again"""
    power.start(*_node(options), options.service)


def _exec(options: _Options) -> None:
    """run a command inside a node (cp, n1, n2, ...)"""
    words = processes.inside(*_node(options))
    os.execvp(words[0], [*words, *options.words])


def _node(options: _Options) -> tuple[layout.Layout, str]:
    known = layout.load(options.name)
    if options.node not in known.names:
        raise layout.Failed(f"there is no node {options.node!r}: {', '.join(known.names)}")
    return known, options.node


if __name__ == "__main__":
    sys.exit(main())
