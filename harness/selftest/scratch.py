"""The system that is shot at, and an experiment with one small fault: files in a directory of ours.

On `local` and `loopback` an asker calls two servers, all of them in a world. On `attached` there is
one server, a process as any other on this machine, and on `plain` an asker and a server in network
namespaces of root: what a fault leaves there would stay. Where a fault is one of calls, an asker
calls the attached server through a proxy of ours; on a substrate that is a URL, through the
Toxiproxy there.
"""

from __future__ import annotations

import contextlib
import secrets
import shlex
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from harness.agent.effects import Process
from harness.agent.stepping import LISTENER
from harness.experiment.model import Experiment
from harness.experiment.source import load_experiment
from harness.experiment.system_model import System
from harness.faults import registry
from harness.faults.examples import example
from harness.faults.fault import Event, Fault
from harness.record.directory import RunDirectory
from harness.record.journal import read
from harness.selftest import outside
from harness.selftest.plain import ASKER, SERVER, Host, PlainNamespaces, Standing, cabled
from harness.selftest.proxied import Proxied, proxied
from harness.selftest.started import TINY, started
from harness.selftest.victims import VICTIMS, Signalled
from harness.substrates.local.spec import PRIVATE
from harness.substrates.registry import WORLDS, substrate_for
from harness.substrates.substrate import Substrate

FAULT = "f"
LASTS_S = 2.4
_LOOKS, _BETWEEN_S = 4, 1.0
_WORLD = """\
apiVersion: harness/v1
kind: System
metadata: {{name: selftest}}
spec:
  services:
    server:
      run: "{tiny} server $(port) {mark}"
      port: 7000
      replicas: 2
      ready: tcp
      restart: {{after: 100ms}}
    asker:
      run: "{tiny} asker $(port) {mark} $(server.host) $(server.port)"
      port: 7001
      ready: tcp
      calls: [server]
"""
_HERE = """\
apiVersion: harness/v1
kind: System
metadata: {{name: selftest}}
spec:
  services:
    server: {{attach: {{pid: {pid}}}, port: {port}}}
"""
_PLAIN = """\
apiVersion: harness/v1
kind: System
metadata: {name: selftest}
spec:
  services:
    server: {run: "stands already", port: 7000}
    asker: {run: "stands already", port: 7001, calls: [server]}
"""
_EXPERIMENT = """\
apiVersion: harness/v1
kind: Experiment
metadata: {{name: selftest}}
spec:
  hypothesis: Nothing is left behind.
  system: system.yaml
  timeline: [{{id: {id}, at: 0s, {lasts}fault: {kind}, {where}{fields}}}]
  objectives: []
  settle: {settle}
"""


@dataclass(frozen=True)
class Scratch:
    """`mark` is part of the name of everything that the system leaves; `target` is the attached
    process, none where the system is in a world. `there` stands in the plain namespaces of `hosts`,
    which looked like `before`; `proxied` is what an asker reaches through a proxy."""

    path: Path
    mark: str
    target: Process | None = None
    there: tuple[Standing, ...] = ()
    hosts: tuple[Host, ...] = ()
    before: outside.Look = field(default_factory=dict)
    proxied: Proxied | None = None
    reached_s: float = 40.0
    over_s: float = 40.0
    #: Whatever outlives the run is recover's.
    patience_s: float = 0.0

    @property
    def beside(self) -> tuple[int, ...]:
        return tuple(each.pid for each in self.there)

    @property
    def victims(self) -> dict[str, Signalled]:
        return VICTIMS

    @property
    def socket(self) -> Path:
        return self.path / "steps"

    @property
    def environment(self) -> dict[str, str]:
        private = {"XDG_STATE_HOME": self.path / "state", "TMPDIR": self.path / "tmp"}
        return {LISTENER: str(self.socket), **{name: str(path) for name, path in private.items()}}

    def experiment(self) -> Experiment:
        """Raises `InvalidFile`: of a fault whose fields have no examples."""
        file = self.path / "experiment.yaml"
        return load_experiment(file, {}, None, registry.find, registry.names)

    def substrate(self, system: System) -> Substrate:
        return PlainNamespaces(self.there) if self.there else substrate_for(system)

    def attend(self, steps: object) -> None:
        """Everybody of the run sees its socket."""

    def traces(self, *, anew: bool = False) -> list[str]:
        """An effect shows in processes of the run alone."""
        return []

    def taken_by(self) -> str:
        return "world"

    def left(self, directory: RunDirectory | None) -> tuple[str, ...]:
        """The directory of the run is no litter."""
        return (*self._lying(directory), *self.differences())

    def _lying(self, directory: RunDirectory | None) -> Iterator[str]:
        yield from _lines("/proc/self/mountinfo", str(self.path))
        yield from _lines("/proc/net/unix", self.mark)
        yield from _lines("/proc/net/unix", _world(directory))
        yield from _lines("/proc/sysvipc/shm", f" {int(self.mark, 16)} ")
        yield from (str(path) for d in PRIVATE for path in Path(d).glob(f"*{self.mark}*"))
        yield from (str(path) for path in (self.path / "tmp").rglob("*"))
        yield from (str(path) for path in self.path.rglob("*.new"))

    def differences(self) -> tuple[str, ...]:
        """What programs of the system say of the plain namespaces that they did not say before, or
        what is on a Toxiproxy. What is left stays; what is only late is gone at a second look."""
        if self.proxied:
            return self.proxied.left()
        for _ in range(_LOOKS):
            if not (found := self._differences() if self.hosts else ()):
                break
            time.sleep(_BETWEEN_S)
        return found

    def _differences(self) -> tuple[str, ...]:
        asker, server, _ = self.hosts
        ways = (outside.disturbed(asker, server), outside.disturbed(server, asker))
        return (*outside.differences(self.before, outside.look(self.hosts)), *filter(None, ways))


@contextlib.contextmanager
def scratch(path: Path, substrate: str, fault: type[Fault]) -> Iterator[Scratch]:
    """Write the files, and start what is not started by the run; it ends with the block."""
    (path / "tmp").mkdir(parents=True)
    (path / "experiment.yaml").write_text(experiment_of(fault, _where(substrate, fault)))
    mark = f"5{secrets.token_hex(3)}"
    if substrate in WORLDS:
        text = _WORLD.format(tiny=shlex.join(TINY), mark=mark)
        (path / "system.yaml").write_text(text)
        yield Scratch(path, mark)
    elif substrate == "plain":
        (path / "system.yaml").write_text(_PLAIN)
        with _in_plain_namespaces() as (hosts, target, there):
            yield Scratch(path, mark, target, there, hosts, outside.look(hosts))
    elif fault.on_edges:
        with proxied("" if substrate == "attached" else substrate, mark) as between:
            (path / "system.yaml").write_text(between.system)
            yield Scratch(path, mark, between.target, proxied=between)
    else:
        with started("server", "0", "") as (process, port):
            (path / "system.yaml").write_text(_HERE.format(pid=process.pid, port=port))
            yield Scratch(path, mark, process)


@contextlib.contextmanager
def _in_plain_namespaces() -> Iterator[tuple[tuple[Host, ...], Process, tuple[Standing, ...]]]:
    with contextlib.ExitStack() as begun:
        hosts = asker, server, switch = begun.enter_context(cabled())
        with server.entered():
            target, port = begun.enter_context(started("server", "7000", ""))
        with asker.entered():
            asking = started("asker", "7001", "", server.address, str(port))
            caller, own = begun.enter_context(asking)
        with switch.entered():  # where nobody lives nobody can look
            begun.enter_context(started("server", "0", ""))
        there = (
            Standing(SERVER, server.netns, server.address, target.pid, port),
            Standing(ASKER, asker.netns, asker.address, caller.pid, own),
        )
        yield hosts, target, there


def _world(directory: RunDirectory | None) -> str:
    steps = read(directory.journal) if directory else ()
    names = (s.data["world"] for s in steps if s.step == "world.ready")
    return next(names, "") or "no world was ready"


def _lines(path: str, word: str) -> list[str]:
    lines = Path(path).read_text().splitlines()
    return [f"{path}: {line}" for line in lines if word in line]


def experiment_of(fault: type[Fault], where: str, lasts_s: float = LASTS_S, guard: str = "") -> str:
    """The file, with one small fault on `where`."""
    event = issubclass(fault, Event)
    return _EXPERIMENT.format(
        id=FAULT, kind=fault.kind, where=where, fields=_fields(fault),
        lasts="" if event else f"for: {lasts_s}s, ", settle="1s" if event else "0s",
    ) + guard  # fmt: skip


def _where(substrate: str, fault: type[Fault]) -> str:
    if substrate not in ("local", "plain"):
        return "target: server"
    linked = fault.on_edges or fault.needs.__name__ == "Links"
    alone = "server" if substrate == "plain" else "server-1"
    return "from: asker, to: server" if linked else f"target: {alone}"


def _fields(fault: type[Fault]) -> str:
    needed = {name: info for name, info in fault.model_fields.items() if info.is_required()}
    return "".join(f", {name}: {example(info)}" for name, info in needed.items())
