"""Command line: `python -m reference_server`."""

import asyncio
import gc
import sys
from importlib.util import find_spec
from typing import Any

import click

from reference_server.settings import PROFILES, Settings

POSTGRES = "postgresql+psycopg://"
COUNT = click.IntRange(min=1)
DEFAULTS = Settings()


def check_database(_: click.Context, __: click.Parameter, value: str) -> str:
    """A file of SQLite's, or PostgreSQL if its driver is there."""
    prefix = "sqlite:///"
    if value.startswith(prefix) and value[len(prefix) :] not in ("", ":memory:"):
        return value
    if not value.startswith(POSTGRES):
        raise click.BadParameter(f"{value!r} is not {prefix}PATH or {POSTGRES}...")
    if not find_spec("psycopg"):
        raise click.BadParameter("PostgreSQL needs psycopg: the extra 'postgres'.")
    from reference_server.database import is_url

    if not is_url(value):
        raise click.BadParameter("this is no URL.")
    return value


def check_profiles(
    _: click.Context, __: click.Parameter, value: str
) -> tuple[str, ...]:
    """In their own order, whatever the order given."""
    given = value.split(",")
    for name in given:
        if name not in PROFILES:
            raise click.BadParameter(f"{name!r} is not one of {', '.join(PROFILES)}.")
    return tuple(name for name in PROFILES if name in given)


def check_mutant(
    _: click.Context, __: click.Parameter, value: str | None
) -> str | None:
    """An unknown mutant would run as a clean server."""
    if value is None:
        return None
    from reference_server.mutants import names

    if value not in names():
        raise click.BadParameter(f"{value!r} is not one of --list-mutants.")
    return value


def check_token(_: click.Context, __: click.Parameter, value: str | None) -> str | None:
    """An empty token would let everybody in, any other than ASCII nobody."""
    if value is not None and not (value.isascii() and value.isprintable() and value):
        raise click.BadParameter("must be printable ASCII, and some.")
    return value


def list_mutants(context: click.Context, _: click.Parameter, value: bool) -> None:
    """JSON Lines, for programs."""
    if not value:
        return
    from reference_server.mutants import listing

    click.echo("\n".join(listing()))
    context.exit()


@click.command(
    context_settings={"auto_envvar_prefix": "UNBROKEN_SERVER", "show_default": True}
)
@click.option(
    "--profiles",
    metavar="NAME,...",
    callback=check_profiles,
    default=",".join(DEFAULTS.profiles),
    help="What to serve.",
)
@click.option("--message-limit", type=COUNT, default=DEFAULTS.message_limit)
@click.option("--event-log-limit", type=COUNT, default=DEFAULTS.event_log_limit)
@click.option("--ping-interval-ms", type=COUNT, default=DEFAULTS.ping_interval_ms)
@click.option(
    "--ping-grace-ms", type=click.IntRange(min=0), default=DEFAULTS.ping_grace_ms
)
@click.option("--keepalive-ms", type=COUNT, default=DEFAULTS.keepalive_ms)
@click.option(
    "--retention-ms",
    type=COUNT,
    default=DEFAULTS.retention_ms,
    help="Events of `private` older than this go at the next sweep.",
)
@click.option("--prune-every-ms", type=COUNT, default=DEFAULTS.prune_every_ms)
@click.option("--queue-limit", type=COUNT, default=DEFAULTS.queue_limit)
@click.option("--max-body-bytes", type=COUNT, default=DEFAULTS.max_body_bytes)
@click.option(
    "--database",
    metavar="URL",
    callback=check_database,
    default=DEFAULTS.database,
    help="sqlite:///PATH (folder and file are made) or postgresql+psycopg://...",
)
@click.option("--host", default=DEFAULTS.host)
@click.option(
    "--port",
    type=click.IntRange(0, 65_535),
    default=DEFAULTS.port,
    help="0: any free port; the ready line tells which.",
)
@click.option(
    "--retry-ms", type=COUNT, help="Send `retry`, spread up to half as long again."
)
@click.option(
    "--operator-token",
    metavar="TOKEN",
    callback=check_token,
    help="What an operator sends as `Authorization: Bearer TOKEN`; none: no operator.",
)
@click.option(
    "--mutant", metavar="NAME", callback=check_mutant, help="Run with a deliberate bug."
)
@click.option(
    "--list-mutants",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=list_mutants,
    help="Print the mutants as JSON Lines and exit.",
)
def main(**values: Any) -> None:
    """Reference server of the resumable SSE chat protocol.

    Every option can be set by UNBROKEN_SERVER_<OPTION> too.
    """
    sys.exit(run(Settings(**values)))


def run(settings: Settings) -> int:
    """Serve until a signal; 0 after one, 1 when it cannot start.

    What is imported stays: collecting garbage meanwhile is a tenth of the start.
    """
    gc.disable()
    from reference_server import server
    from reference_server.app import create_app
    from reference_server.database import StoreUnavailableError, without_password

    try:
        listener = server.bind(settings)
    except OSError as error:
        return fail(f"cannot listen on {settings.host}:{settings.port}: {error}")

    def announce() -> None:
        gc.freeze()
        gc.enable()
        host, port = listener.getsockname()[:2]
        shown = f"[{host}]" if ":" in host else host
        print(f"reference_server listening on http://{shown}:{port}", flush=True)  # noqa: T201 - the ready line is this program's output

    try:
        asyncio.run(server.serve(create_app(settings), listener, announce))
    except StoreUnavailableError as error:
        return fail(f"cannot open {without_password(settings.database)}: {error}")
    return 0


def fail(message: str) -> int:
    """One line on stderr."""
    click.echo(f"reference_server: {message}", err=True)
    return 1


if __name__ == "__main__":
    main()
