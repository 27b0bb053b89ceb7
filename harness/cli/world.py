"""`harness world`: keep a system up for poking at it, without any fault or load."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from harness.errors import Refused, UsageError

if TYPE_CHECKING:
    from harness.experiment.system_model import System
    from harness.substrates.local.process import WorldChild
    from harness.substrates.local.world import LocalWorld
    from harness.substrates.substrate import Topology

_LOOK_S = 0.5
_NO_LEASE_S = 3600.0
_FORWARDED = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT, signal.SIGWINCH)


class _FileOrCommand(click.Group):
    """`world FILE` is short for `world up FILE`."""

    def resolve_command(self, ctx: click.Context, args: list[str]) -> Any:
        known = args and args[0] in self.commands
        return super().resolve_command(ctx, args if known else ["up", *args])


@click.group(
    cls=_FileOrCommand, no_args_is_help=True, subcommand_metavar="FILE | exec HOST -- COMMAND..."
)
def world() -> None:
    """Start a system and keep it up until Ctrl-C; run commands in it.

    \b
    harness world scenarios/checkout/system.yaml
    harness world exec database -- psql -h database -U shop
    harness world exec client -- curl -s http://web:8080/health
    """  # noqa: D301  click's mark is a real backspace


@world.command(hidden=True)
@click.argument("file", type=click.Path(path_type=Path))
def up(file: Path) -> None:
    """Start the system of FILE and keep it up."""
    from harness.experiment.system_file import load_system
    from harness.substrates.registry import world_substrate

    system = load_system(file)
    substrate = world_substrate()
    if why := substrate.refuse(system):
        raise Refused(why, where=str(file))
    directory = _fresh(Path("reports", f"world-{system.metadata.name}").absolute())
    with _ended_by_signals(), substrate.open(system, directory, _NO_LEASE_S) as it:
        _describe(system, it.topology, it, directory)
        if caveat := substrate.caveat(system):
            click.echo(f"note: {caveat}", err=True)
        _watch(it)


def _fresh(directory: Path) -> Path:
    """Of a name that is used again and again only the last world's logs are kept."""
    directory.mkdir(parents=True, exist_ok=True)
    for log in directory.rglob("*.log"):
        log.unlink()
    return directory


@world.command(context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False})
@click.argument("host")
@click.argument("command", nargs=-1, required=True, type=click.UNPROCESSED)
def exec(host: str, command: tuple[str, ...]) -> None:
    """Run COMMAND on HOST of the world that is up: a replica's name, or `client`.

    Where several worlds are up: WORLD/HOST, with the beginning of the world's name.
    """
    from harness.substrates.local.channel import ChannelError
    from harness.substrates.local.process import Asked, spawn

    env = {name: os.environ[name] for name in ("TERM",) if name in os.environ}
    words = command[1:] if command[0] == "--" else command
    label, _, there = host.rpartition("/")
    try:
        child = spawn(_the_world(label), Asked(there, words, env=env, service=True), (0, 1, 2))
    except ChannelError as error:
        raise UsageError(str(error)) from None
    _forward_signals(child)
    status = child.wait(None) or 0
    sys.exit(128 - status if status < 0 else status)


def _the_world(label: str) -> str:
    """The name of the one world that is meant."""
    from harness.substrates.local.channel import world_name, worlds

    names = [name for name in worlds() if name.startswith(world_name(label))]
    if len(names) == 1:
        return names[0]
    if not names:
        which = f"no world {label} is up" if label else "no world is up"
        raise UsageError(which, hint="start one with `harness world FILE`")
    labels = ", ".join(name.removeprefix(world_name("")) for name in names)
    raise UsageError(f"several worlds are up: {labels}", hint="say which: WORLD/HOST")


def _forward_signals(child: WorldChild) -> None:
    """Ctrl-C is for the command; we end when it does."""
    for number in _FORWARDED:
        signal.signal(number, lambda number, _: child.send(number))


@contextlib.contextmanager
def _ended_by_signals() -> Any:
    """Ctrl-C and SIGTERM are how a world is meant to end."""

    def end(*_: object) -> None:
        raise KeyboardInterrupt

    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, end)
    try:
        yield
    except KeyboardInterrupt:
        click.echo("the world has ended", err=True)


def _describe(system: System, topology: Topology, it: LocalWorld, directory: Path) -> None:
    from harness.substrates.local.channel import world_name

    click.echo(f"{system.metadata.name} is up in {it.name}")
    width = max(len(replica.name) for replica in topology.replicas)
    for replica in topology.replicas:
        zone = f"  zone {replica.zone}" if replica.zone else ""
        log = directory / "services" / f"{replica.name}.log"
        click.echo(f"  {replica.name:{width}}  {replica.address}:{replica.port}{zone}  {log}")
    url = it.url(f"http://{topology.replicas[0].name}:{topology.replicas[0].port}/")
    label = it.name.removeprefix(world_name(""))
    click.echo(f"harness world exec {label}/client -- curl -s {url}")
    click.echo("Ctrl-C ends it.", err=True)


def _watch(it: LocalWorld) -> None:
    while it.alive:
        for trouble in it.troubles():
            click.echo(trouble, err=True)
        time.sleep(_LOOK_S)
    raise UsageError("the world has ended by itself; see world.log beside the services' logs")
