"""Where a target keeps its messages, as far as faults have to know it."""

import re
from string import Formatter

import msgspec

from harness.core.errors import BadInput


class Storage(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One of: a file of SQLite, or a database of a PostgreSQL that the harness runs.

    `sqlite` is the file's path, with `{data}` for the folder of a case. `postgres` is
    the name of the database; the command finds the rest of its URL, what comes after
    `postgresql://`, in the placeholder `{postgres}`.
    """

    sqlite: str = ""
    postgres: str = ""


def check_storage(storage: Storage, name: str, *, runs_already: bool) -> None:
    """Raises `BadInput` when faults could not find the storage."""
    if bool(storage.sqlite) == bool(storage.postgres):
        raise BadInput(
            f"{name}: storage: give either sqlite (the path of its file, as "
            "{data}/chat.db) or postgres (the name of its database)"
        )
    if runs_already:
        raise BadInput(
            f"{name}: storage cannot be declared with url: faults of the storage need "
            "a target that the harness starts"
        )
    if storage.sqlite and _fields(storage.sqlite) != ["data"]:
        raise BadInput(
            f"{name}: storage.sqlite {storage.sqlite!r} must name a file below "
            "{data}, the folder of a case, and hold no other placeholder"
        )
    if storage.postgres and not re.fullmatch(r"[a-z][a-z0-9_]{0,39}", storage.postgres):
        raise BadInput(
            f"{name}: storage.postgres {storage.postgres!r} must be a plain name of "
            "up to 40 lower-case letters, digits and underscores"
        )


def _fields(path: str) -> list[str | None]:
    """The placeholders of a path; none when it is malformed."""
    try:
        return [
            field for _, field, _, _ in Formatter().parse(path) if field is not None
        ]
    except ValueError:
        return []
