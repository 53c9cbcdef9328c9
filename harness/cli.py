"""The command line: thin, and quick to say what it can do.

Exit status: 0 conforms, 1 does not conform, 2 bad usage or input, 3 could not run
(nothing can be said), 130 interrupted.
"""

import os
import re
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

import click

from harness.arms import ARMS
from harness.commands.stdout import open_streams, outlive_reader, unwritten
from harness.core.errors import BadInput, HarnessError

TRACEBACK = "UNBROKEN_TRACEBACK"
"""Set in the environment, it lets the harness's own breakdowns through."""

BAD_INPUT, COULD_NOT_RUN, INTERRUPTED = 2, 3, 130
USUAL_JOBS = "6 a processor, at most 12; on the sim arm 1 a processor"

_Command = Callable[..., Any]


class Duration(click.ParamType[float]):
    """Seconds, written as 90, 60s, 10m or 1h."""

    name = "duration"
    _units: ClassVar = {"": 1, "s": 1, "m": 60, "h": 3_600}

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """More than nothing, and at most a day."""
        if isinstance(value, float):
            return value
        found = re.fullmatch(r"(\d+(?:\.\d+)?)([smh]?)", str(value))
        seconds = float(found[1]) * self._units[found[2]] if found else 0.0
        if not 0 < seconds <= 86_400:
            self.fail(f"{value!r} is not a time such as 60s, 10m or 1h.", param, ctx)
        return seconds


class Folder(click.Path):
    """A folder, which a name must be given for."""

    def __init__(self) -> None:
        super().__init__(file_okay=False, path_type=Path)

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> Any:
        """An empty name would be the current folder, and all there in the way."""
        if not str(value):
            self.fail("'' is no folder; name one, or . for this one.", param, ctx)
        return super().convert(value, param, ctx)


def _chosen(out: str) -> Callable[[_Command], _Command]:
    """What is run, against what, and where its results go: `run` and `mutants`."""
    options = (
        click.argument("target", default="reference"),
        click.option("-k", "keyword", metavar="EXPR", help="Only matching scenarios."),
        click.option(
            "--requirement",
            metavar="ID|PATTERN",
            help="Only scenarios that judge it, such as 'reset/*'.",
        ),
        click.option("--profile", help="Profile; default: all of the target's."),
        click.option(
            "--arm", type=click.Choice(ARMS), default="live", show_default=True
        ),
        click.option(
            "--app",
            metavar="MODULE:NAME",
            help="An ASGI application to run in place of what TARGET's file names.",
        ),
        click.option(
            "--jobs",
            type=click.IntRange(1, 64),
            show_default=USUAL_JOBS,
            help="Cases run at once, each with a server of its own.",
        ),
        click.option(
            "--out",
            type=Folder(),
            default=out,
            show_default=True,
            help="Folder for what is written; the last run's histories there go.",
        ),
        click.option("--seed", type=click.IntRange(0), default=0, show_default=True),
    )

    def decorate(command: _Command) -> _Command:
        for option in reversed(options):
            command = option(command)
        return command

    return decorate


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="unbroken")
def main() -> None:
    """Conformance and chaos tests for resumable SSE chat servers.

    A TARGET is a TOML file, or the name of one in targets/ (default: reference).

    Exit status: 0 conforms, 1 does not, 2 bad usage or input, 3 could not run,
    130 interrupted.
    """


@main.command()
@_chosen("unbroken-results")
@click.option("-v", "--verbose", is_flag=True, help="Show passed requirements too.")
@click.option(
    "--nightly", is_flag=True, help="Also the scenarios that take a minute each."
)
@click.option(
    "--twice",
    is_flag=True,
    help="Run each case twice and compare the histories (--arm sim).",
)
def run(**options: Any) -> None:
    """Run the scenarios against TARGET, judge it, and write a report."""

    def command() -> int:
        from harness.commands.run import run

        return run(**options)

    _exit(command)


@main.command()
@_chosen("unbroken-mutants")
@click.option(
    "--chaos",
    "chaos_runs",
    type=click.IntRange(1),
    metavar="RUNS",
    help="Not the scenarios: at most so many random schedules against each.",
)
@click.option(
    "--all",
    "every",
    is_flag=True,
    help="Every scenario that might catch a mutant, also after one has.",
)
def mutants(**options: Any) -> None:
    """Run every mutant of TARGET against the scenarios that must catch it."""

    def command() -> int:
        from harness.commands.mutants import mutants

        return mutants(**options)

    _exit(command)


@main.command()
@click.argument("target", default="reference")
@click.option("--runs", type=click.IntRange(1), help="Stop after so many runs.")
@click.option(
    "--time",
    "time_s",
    type=Duration(),
    help="Stop after so long: 60s, 10m, 1h.  [default, without --runs: 60s]",
)
@click.option("--profile", help="Profile; default: all of the target's.")
@click.option("--arm", type=click.Choice(ARMS), default="sim", show_default=True)
@click.option("--app", metavar="MODULE:NAME", help="As for `run`.")
@click.option("--mutant", default="", help="Hunt this deliberate bug of the target.")
@click.option(
    "--jobs",
    type=click.IntRange(1, 64),
    default=os.cpu_count() or 1,
    show_default=True,
    help="Processes.",
)
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True)
@click.option(
    "--out",
    type=Folder(),
    default="unbroken-chaos",
    show_default=True,
    help="Folder for the cases that were found, and their histories.",
)
@click.option(
    "--keep-going", is_flag=True, help="Gather finds, one for each requirement."
)
@click.option(
    "--twice", is_flag=True, help="Run everything twice and compare the histories."
)
@click.option("-v", "--verbose", is_flag=True, help="Coverage also after a find.")
def chaos(**options: Any) -> None:
    """Try random fault schedules against TARGET until one breaks it; shrink that."""
    if options["runs"] is None and options["time_s"] is None:
        options["time_s"] = 60.0

    def command() -> int:
        from harness.commands.chaos import chaos

        return chaos(**options)

    _exit(command)


@main.command()
@click.argument("case", type=click.Path(path_type=Path))
@click.option("--target", help="Name or TOML file; default: the case's own.")
@click.option("--arm", type=click.Choice(ARMS), default="sim", show_default=True)
@click.option("--app", metavar="MODULE:NAME", help="As for `run`.")
@click.option("--clean", is_flag=True, help="Without the case's deliberate bug.")
@click.option(
    "--out",
    type=Folder(),
    default="unbroken-replay",
    show_default=True,
    help="Folder for history and report.",
)
@click.option("-v", "--verbose", is_flag=True, help="Show passed requirements too.")
def replay(**options: Any) -> None:
    """Run a CASE again that `unbroken chaos` has found, on either arm."""

    def command() -> int:
        from harness.commands.replay import replay

        return replay(**options)

    _exit(command)


@main.command("list")
@click.option("-k", "keyword", metavar="EXPR", help="Only matching scenarios.")
@click.option("--requirement", metavar="ID|PATTERN", help="Only what judges it.")
@click.option(
    "--coverage",
    is_flag=True,
    help="Requirements against scenarios, arms and the reference server's mutants.",
)
@click.option(
    "--markdown", is_flag=True, help="With --coverage: docs/requirements.md as text."
)
def list_(*, coverage: bool, markdown: bool, **options: Any) -> None:
    """List scenarios and requirements: what is judged by what."""
    if markdown and not coverage:
        raise click.UsageError("--markdown is of --coverage.")
    if coverage and any(options.values()):
        raise click.UsageError("--coverage is of everything: no -k, no --requirement.")

    def command() -> int:
        if coverage:
            from harness.commands import coverage as matrix

            return matrix.coverage(markdown=markdown)
        from harness.commands.listing import listing

        return listing(**options)

    _exit(command)


@main.command()
@click.argument("histories", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "--out",
    type=Folder(),
    help="Write result.json and report.html there too.",
)
@click.option("-v", "--verbose", is_flag=True, help="Show passed requirements too.")
def judge(**options: Any) -> None:
    """Judge stored HISTORIES (.jsonl files or folders): the same verdicts again."""

    def command() -> int:
        from harness.commands.judge import judge

        return judge(**options)

    _exit(command)


@main.command()
@click.option("--json", "as_json", is_flag=True, help="Machine-readable.")
def doctor(**options: Any) -> None:
    """Check everything that a run needs, and say how to mend what is broken."""

    def command() -> int:
        from harness.commands.doctor import doctor

        return doctor(**options)

    _exit(command)


def _exit(command: Callable[[], int]) -> None:
    """Turn harness trouble into one message and a documented exit status.

    A command imports its module itself: an interrupt may come that early, too.
    """
    # Whoever ends us politely gets the same orderly end as with Ctrl-C, also where a
    # script has started us in the background, with SIGINT ignored.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, _end)
    open_streams()
    outlive_reader()
    try:
        status = command()
    except BadInput as error:
        status = _complain(error, BAD_INPUT)
    except HarnessError as error:
        status = _complain(error, COULD_NOT_RUN)
    except KeyboardInterrupt as error:
        click.echo(f"unbroken: {str(error) or 'interrupted'}", err=True)
        status = INTERRUPTED
    except Exception as error:
        if os.environ.get(TRACEBACK):
            raise
        said = f"{type(error).__name__}: {error}"
        click.echo(f"unbroken: broke down: {said}; {TRACEBACK}=1 shows where", err=True)
        status = COULD_NOT_RUN
    if why := unwritten():
        text = f"unbroken: not all could be written to standard output: {why}"
        click.echo(text, err=True)
        status = status or COULD_NOT_RUN
    sys.exit(status)


def _end(*_: object) -> None:
    """Once: timeout sends SIGTERM to us and then to our group, us among it.

    A second KeyboardInterrupt would cut off what the first one is cleaning up.
    """
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    signal.raise_signal(signal.SIGINT)


def _complain(error: HarnessError, status: int) -> int:
    click.echo(f"unbroken: {error}", err=True)
    return status
