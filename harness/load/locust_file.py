"""Imports a person's Locust file as Locust would, and says what of it does not apply here."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Any

import locust
from locust.argument_parser import parse_options
from locust.env import Environment
from locust.user.wait_time import constant
from locust.util.load_locustfile import load_locustfile

from harness.load.locust_requests import RecordingHook
from harness.record.plan import LoadPlan

_NO_WAIT = constant(0).__code__


class BrokenFile(Exception):
    """The Locust file cannot be used; the message is for its author."""


@dataclass(frozen=True)
class Users:
    """User classes that can run, in an environment of Locust; `says` is what to tell a person."""

    environment: Environment
    kinds: list[type[locust.User]]
    says: tuple[str, ...]


def load_users(plan: LoadPlan, hook: RecordingHook) -> Users:
    """Import the file; requests of its users will go through `hook`. Raises `BrokenFile`."""
    locust.events.request = hook
    try:
        found, shapes = load_locustfile(plan.users)
    except FileNotFoundError as error:
        raise BrokenFile(f"{plan.users}: no such file") from error
    except (Exception, SystemExit) as error:
        logging.getLogger(__name__).exception("the Locust file cannot be imported")
        raise BrokenFile(
            f"{plan.users}: {type(error).__name__}: {error}{_place(plan, error)}"
        ) from error
    kinds = [kind for kind in found.values() if kind.weight > 0]
    _check(plan, kinds, shapes)
    for kind in kinds:
        kind.host = plan.url
    return Users(_environment(plan, kinds, hook), kinds, tuple(_ignored(kinds)))


def _check(plan: LoadPlan, kinds: list[type[locust.User]], shapes: list[Any]) -> None:
    if shapes:
        name = type(shapes[0]).__name__
        raise BrokenFile(
            f"{plan.users}: {name} is a LoadTestShape, which counts users; write the curve of "
            "arrivals in the experiment: arrivals: {tasks: {ramp: 50/s..200/s, over: 60s}}"
        )
    if not kinds:
        raise BrokenFile(f"{plan.users}: no User class (abstract ones and those of weight 0 aside)")
    for kind in kinds:
        if not kind.tasks:
            raise BrokenFile(f"{plan.users}: {kind.__name__} has no tasks; mark them with @task")


def _environment(
    plan: LoadPlan, kinds: list[type[locust.User]], hook: RecordingHook
) -> Environment:
    """As `locust` itself makes it; its runner is there for files that look at it, and idle."""
    listeners = list(hook._handlers)  # noqa: SLF001
    options = parse_options(args=["--headless", "-f", plan.users, "--host", plan.url])
    environment = Environment(
        user_classes=kinds, events=locust.events, host=plan.url, parsed_options=options
    )
    runner = environment.create_local_runner()
    runner.greenlet.kill(block=False)
    hook._handlers[:] = listeners  # noqa: SLF001  without Locust's own statistics
    return environment


def _ignored(kinds: list[type[locust.User]]) -> list[str]:
    waiting = [kind.__name__ for kind in kinds if _waits(kind)]
    fixed = [kind.__name__ for kind in kinds if kind.fixed_count]
    says = []
    if waiting:
        says.append(f"wait_time of {', '.join(waiting)} is ignored: arrivals say when tasks begin")
    if fixed:
        says.append(
            f"fixed_count of {', '.join(fixed)} is ignored: weight says who comes how often"
        )
    return says


def _waits(kind: type[locust.User]) -> bool:
    return getattr(kind.wait_time, "__code__", None) is not locust.User.wait_time.__code__


def _place(plan: LoadPlan, error: BaseException) -> str:
    """The last line of the person's own file that the error went through."""
    traceback, line = error.__traceback__, 0
    while traceback is not None:
        if traceback.tb_frame.f_code.co_filename == plan.users:
            line = traceback.tb_lineno
        traceback = traceback.tb_next
    return f" (line {line})" if line else ""
