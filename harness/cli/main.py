"""The command `harness`: finds the subcommand, and turns whatever happens into an exit status.

Subcommands are imported when they are called, so that `--help` and `validate` answer at once.
"""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Callable
from typing import Any, NoReturn

import click

from harness.errors import Exit, HarnessError, InvalidFile

#: Name: where it is, and its line in `--help`.
COMMANDS = {
    "run": ("harness.cli.run:run", "Carry out an experiment and judge it."),
    "plan": ("harness.cli.plan:plan", "Show exactly what a run would do."),
    "validate": ("harness.cli.validate:validate", "Check experiments, systems, targets."),
    "report": ("harness.cli.report:report", "Render the report of an old run again."),
    "recording": ("harness.cli.recording:recording", "Print or export the requests of a run."),
    "calibrate": ("harness.cli.calibrate:calibrate", "Measure what rate this machine can hold."),
    "rerun": ("harness.cli.rerun:rerun", "Run an old run again, with its seed."),
    "submit": ("harness.cli.submit:submit", "Run an experiment inside of the cluster."),
    "recover": ("harness.cli.recover:recover", "Take back what a run left behind."),
    "selftest": ("harness.cli.selftest:selftest", "Prove that nothing is ever left behind here."),
    "halt": ("harness.cli.halt:halt", "Stop all runs, refuse new ones."),
    "resume": ("harness.cli.halt:resume", "Allow runs again after a halt."),
    "allow": ("harness.cli.allow:allow", "Let a namespace of a cluster take faults."),
    "ps": ("harness.cli.ps:ps", "List runs and the faults that are on."),
    "list": ("harness.cli.listing:listing", "List faults, substrates, reports, experiments."),
    "explain": ("harness.cli.explain:explain", "Explain a fault, an error code, a topic."),
    "schema": ("harness.cli.schema:schema", "Print the JSON schema of a kind of file."),
    "audit": ("harness.cli.audit:audit", "Verify a run's journal: who did what, when, to what."),
    "simulate": ("harness.cli.simulate:simulate", "Try the engine against random schedules."),
    "doctor": ("harness.cli.doctor:doctor", "Say what works on this machine."),
    "toxiproxy": ("harness.cli.toxiproxy:toxiproxy", "Serve Toxiproxy's API, and more."),
    "world": ("harness.cli.world:world", "Start a system and keep it up."),
}

EXIT_STATUSES = """\
  0   pass: every objective held (or nothing was to be judged)
  1   an objective failed, or the guard aborted the run
  2   usage, an invalid file, a refused plan
  3   inconclusive: too few requests to decide (run --inconclusive-ok makes it 0)
  4   interrupted by a person, a signal or a full disk; everything was taken back
  5   something could not be taken back: see `harness recover`
  6   invalid: the run could not have known (fault not confirmed, load late, not ready)
  70  internal error
Of several, the first of these counts: 5, 70, 4, 6, 1, 3, 0."""

_EPILOG = f"""\
Examples:
  harness run experiments/checkout-survives-slow-database.yaml
  harness plan experiments/checkout-survives-slow-database.yaml --set rate=50/s
  harness run experiments/ -l tier=pr --output junit=junit.xml
  harness explain network.latency

Exit statuses:
{EXIT_STATUSES}

stdout is the result, stderr is progress. HARNESS_DEBUG=1 shows tracebacks.
HARNESS_LOCAL=loopback starts systems on ports of 127.0.0.1, as is done by itself where user
namespaces are refused; HARNESS_LOCAL=namespaces refuses to.
"""


class _LazyGroup(click.Group):
    """Imports a subcommand when it is called; its help line comes from the table above."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module, _, attribute = COMMANDS[cmd_name][0].partition(":")
        command = getattr(importlib.import_module(module), attribute)
        assert isinstance(command, click.Command)
        return command

    def resolve_command(self, ctx: click.Context, args: list[str]) -> Any:
        if args[0] not in COMMANDS and not args[0].startswith("-"):
            from harness.experiment.problems import nearest

            likely = nearest(args[0], COMMANDS)
            hint = f"did you mean {likely}?" if likely else "see harness --help"
            raise click.UsageError(f"there is no command {args[0]!r}; {hint}")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, line) for name, (_, line) in COMMANDS.items()])

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        formatter.write("\n" + _EPILOG)

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except BrokenPipeError:  # before click sees it, whose exit status for it is that of FAIL
            raise _ReaderGoneError from None


class _ReaderGoneError(Exception):
    """Whoever read our stdout has gone, as `head` does."""


def _print_version(ctx: click.Context, _: click.Parameter, wanted: bool) -> None:
    if wanted:
        from harness.cli.version import version_text

        click.echo(version_text())
        ctx.exit()


@click.group(cls=_LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--version",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_print_version,
    help="Print the versions of harness, Python and what matters to a run.",
)
def cli() -> None:
    """Chaos and reliability tests that tell the truth.

    A file says what should survive what; harness makes it happen, measures honestly, proves what it
    did, and takes everything back.
    """


def main() -> NoReturn:
    """The entry point of the `harness` command."""
    status = guarded(lambda: cli.main(sys.argv[1:], prog_name="harness", standalone_mode=False))
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        _silence_stdout()
    sys.exit(int(status))


def guarded(command: Callable[[], object]) -> int:
    """Run `command`; whatever it raises becomes a message on stderr and an exit status."""
    try:
        returned = command()
    except HarnessError as error:
        return _told(error)
    except click.ClickException as error:
        error.show()
        return Exit.USAGE
    except (click.Abort, KeyboardInterrupt):
        click.echo("interrupted", err=True)
        return Exit.INTERRUPTED
    except _ReaderGoneError:
        _silence_stdout()
        return Exit.INTERRUPTED
    except SystemExit as error:
        return error.code if isinstance(error.code, int) else Exit(bool(error.code) * Exit.INTERNAL)
    except Exception as error:
        return _crashed(error)
    return returned if isinstance(returned, int) else Exit.PASS


def _told(error: HarnessError) -> int:
    _debugged(error)
    if isinstance(error, InvalidFile):
        click.echo(error.message, err=True)
        return error.exit_status
    place = f"{error.where}: " if error.where else ""
    click.echo(f"{place}error {error.code}: {error.message}", err=True)
    if error.hint:
        click.echo(f"    {error.hint}", err=True)
    return error.exit_status


def _crashed(error: Exception) -> int:
    _debugged(error)
    from harness.cli.crash import keep_traceback

    kept = keep_traceback(error)
    click.echo(f"error HX000: internal error: {type(error).__name__}: {error}", err=True)
    where = f"the traceback is in {kept}; " if kept else ""
    click.echo(f"    {where}HARNESS_DEBUG=1 shows it", err=True)
    return Exit.INTERNAL


def _debugged(error: Exception) -> None:
    if os.environ.get("HARNESS_DEBUG"):
        import traceback

        traceback.print_exception(error)


def _silence_stdout() -> None:
    """Python flushes stdout when it ends; there is nobody left to read it."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


if __name__ == "__main__":
    main()
