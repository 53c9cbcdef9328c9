"""The records of a history by their kind: one pass, so that no index makes its own."""

from collections.abc import Sequence
from typing import TypeVar, cast

from harness.core.history import AnyRecord, History

R = TypeVar("R")


class Kinds:
    """Records by type, each list in the order of the history."""

    __slots__ = ("_found",)

    def __init__(self, history: History) -> None:
        found: dict[type, list[AnyRecord]] = {}
        for record in history.records:
            kind = type(record)
            if kind in found:
                found[kind].append(record)
            else:
                found[kind] = [record]
        self._found = found

    def of(self, kind: type[R]) -> Sequence[R]:
        """All records of one kind."""
        return cast("list[R]", self._found.get(kind, []))
