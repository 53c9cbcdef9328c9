"""How a target is started: a command, or an application that we host."""

import difflib
import re
from collections.abc import Mapping
from string import Formatter
from typing import Annotated

import msgspec

from harness.core.errors import BadInput
from harness.core.limits import Limits
from harness.core.strict import Strict

PLACEHOLDERS = (
    *("python", "port", "data", "host", "mutant", "profile"),
    *("operator_token", "postgres", "backlog_events"),
)
"""What a command may hold beside the names of the declared limits."""

Seconds = Annotated[float, msgspec.Meta(gt=0, le=3_600)]


class Start(Strict, frozen=True, kw_only=True):
    """How to start the target as a process.

    `mutant` is what is appended to `command` to switch a deliberate bug on,
    `list_mutants` prints one JSON object a line: {name, requirement, description} and
    the `profile` that it is of, by default broadcast.

    `preload` are libraries of a target that runs as `{python} -m MODULE`: they are
    imported once, and each start is a fork that has them. None may import a module of
    the target's own (what that sets up would outlive restarts), run a thread, or draw
    at random when imported what must differ from life to life.
    """

    command: tuple[str, ...]
    env: dict[str, str] = msgspec.field(default_factory=dict)
    ready_within_s: Seconds = 20.0
    stop_within_s: Seconds = 5.0
    mutant: tuple[str, ...] = ()
    list_mutants: tuple[str, ...] = ()
    preload: tuple[str, ...] = ()


class App(Strict, frozen=True, kw_only=True):
    """An ASGI application to host: `app` is package.module:name, as for uvicorn.

    With `factory` calling it gives an application without the state of an earlier one;
    otherwise its modules are imported afresh for every life. `mutant` is the
    environment that switches a deliberate bug on. `graceful_s` is uvicorn's time for
    open responses after SIGTERM. `folder`, relative to the target file and by default
    the file's own, is where its modules are looked for at last.
    """

    app: str
    factory: bool = False
    env: dict[str, str] = msgspec.field(default_factory=dict)
    ready_within_s: Seconds = 20.0
    stop_within_s: Seconds = 5.0
    graceful_s: Annotated[int, msgspec.Meta(ge=0, le=3_600)] | None = None
    mutant: dict[str, str] = msgspec.field(default_factory=dict)
    folder: str = ""


def fill(
    command: tuple[str, ...], values: Mapping[str, object], *, name: str
) -> list[str]:
    """Put values into `{placeholders}`; raises `BadInput` for an unknown one."""
    odd = [key for part in command for key in placeholders_in(part) if "." in key]
    if odd:
        raise BadInput(_bad_placeholder(name, odd[0]))
    try:
        return [part.format_map(dict(values)) for part in command]
    except KeyError as error:
        raise BadInput(_bad_placeholder(name, str(error.args[0]))) from error
    except (ValueError, IndexError, AttributeError, TypeError) as error:
        raise BadInput(
            f"{name}: command {list(command)!r} is malformed: {error}; write "
            "placeholders as {port}, a literal brace as {{"
        ) from error


def placeholders_in(text: str) -> set[str]:
    """The names in it."""
    try:
        return {name for _, name, _, _ in Formatter().parse(text) if name}
    except ValueError:  # malformed, and told when it is filled
        return set()


def check_start(start: Start, values: Mapping[str, object], name: str) -> None:
    """Raises `BadInput` for what cannot be run; `values` are those it may hold."""
    if not start.command:
        raise BadInput(f"{name}: start.command is empty; give a program to run")
    for command in (start.command, start.mutant, start.list_mutants):
        for part in fill(command, values, name=name):
            if "\0" in part:
                raise BadInput(f"{name}: {part!r} of a command has a NUL, none can")
    if not start.command[0]:
        raise BadInput(f"{name}: start.command names no program: {start.command!r}")
    fill(tuple(start.env.values()), values, name=name)
    if start.preload:
        _check_preload(start, name)


def _check_preload(start: Start, name: str) -> None:
    if start.command[:2] != ("{python}", "-m") or not start.command[2:]:
        raise BadInput(
            f"{name}: start.preload is for a command that begins with {{python}} -m "
            f"MODULE, and start.command is {list(start.command)!r}"
        )
    if start.env:
        raise BadInput(
            f"{name}: start.env sets {', '.join(start.env)}, which start.preload may "
            "read when it is imported, once for all starts; drop one of them"
        )


def check_app(app: str, name: str) -> None:
    """Raises `BadInput` when this cannot be an application's name."""
    if not re.fullmatch(r"[\w.]+:[\w.]+", app):
        raise BadInput(f"{name} {app!r} must be package.module:application")


def _bad_placeholder(name: str, key: str) -> str:
    known = [*PLACEHOLDERS, *Limits.__struct_fields__]
    if key in Limits.__struct_fields__:
        return f"{name}: {{{key}}} stands for a limit that no profile here declares"
    if key == "postgres":
        return f"{name}: {{postgres}} needs [storage] with postgres = NAME"
    near = difflib.get_close_matches(key, known, n=1)
    hint = f"; did you mean {{{near[0]}}}?" if near else ""
    return f"{name}: unknown placeholder {{{key}}}{hint} known: {', '.join(known)}"
