"""A change of the database and what follows from it, as data."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Generic, TypeVar

from reference_server.core.message import Value
from reference_server.table import MessageTable

Made = TypeVar("Made")
Answer = TypeVar("Answer")


@dataclass(frozen=True, slots=True, kw_only=True)
class Change(Generic[Made, Answer]):
    """`commit` and `outcome` block; `apply` runs on the loop, in one step.

    `outcome` is asked after `commit` failed: what it would have returned if the change
    is in the database nevertheless, None if it is not.
    """

    commit: Callable[[], Made]
    outcome: Callable[[], Made | None]
    apply: Callable[[Made], Answer]


def inserting(
    table: MessageTable,
    value: Value,
    apply: Callable[[int], Answer],
    *,
    uid: str | None = None,
) -> Change[int, Answer]:
    """A new message; `apply` gets its database id."""
    return Change(
        commit=partial(table.insert, value, uid),
        outcome=partial(table.inserted, value),
        apply=apply,
    )


def updating(
    table: MessageTable, row: int, value: Value, apply: Callable[[], Answer]
) -> Change[bool, Answer]:
    """A new text; `value` differs from the old one, at least in its time."""

    def commit() -> bool:
        table.update(row, value)
        return True

    def outcome() -> bool | None:
        return table.value_of(row) == value or None

    return Change(commit=commit, outcome=outcome, apply=lambda _: apply())


def deleting(
    table: MessageTable, row: int, apply: Callable[[], Answer]
) -> Change[bool, Answer]:
    """A message goes that was there."""

    def commit() -> bool:
        table.delete(row)
        return True

    def outcome() -> bool | None:
        return table.value_of(row) is None or None

    return Change(commit=commit, outcome=outcome, apply=lambda _: apply())
