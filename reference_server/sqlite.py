"""SQLite: one file, made when missing."""

from pathlib import Path
from typing import Any

from sqlalchemy import Engine, create_engine, event
from sqlalchemy.engine import make_url

# How long a write waits for another one's lock.
LOCK_TIMEOUT_S = 1.0


def engine(url: str) -> Engine:
    """Write-ahead log: a reader does not wait for a writer."""
    folder = Path(make_url(url).database or "").parent
    made = create_engine(url, connect_args={"timeout": LOCK_TIMEOUT_S})

    @event.listens_for(made, "do_connect")
    def make_folder(*_: Any) -> None:
        folder.mkdir(parents=True, exist_ok=True)

    @event.listens_for(made, "connect")
    def set_pragmas(connection: Any, _: Any) -> None:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=FULL")

    return made
