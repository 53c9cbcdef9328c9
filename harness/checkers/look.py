"""What rules yield and how they are registered: one function, one requirement."""

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from harness.checkers.case import Case
from harness.core.verdict import Sighting


class Look(NamedTuple):
    """One place where a requirement was exercised; its rule knows the slug."""

    sighting: Sighting
    ops: tuple[int, ...] = ()
    sentence: str = ""


HELD = Look(Sighting.HELD)

Rule = Callable[[Case], Iterator[Look]]
RULES: dict[str, Rule] = {}


def rule(slug: str) -> Callable[[Rule], Rule]:
    """Register the one rule of a requirement."""

    def register(function: Rule) -> Rule:
        if slug in RULES:
            raise ValueError(f"two rules for {slug}")
        RULES[slug] = function
        return function

    return register


def broken(sentence: str, *ops: int | None) -> Look:
    """The requirement was surely not met here."""
    return Look(Sighting.BROKEN, tuple(n for n in ops if n), sentence)


def unclear(sentence: str, *ops: int | None) -> Look:
    """This place was meant to be judged and cannot be."""
    return Look(Sighting.UNCLEAR, tuple(n for n in ops if n), sentence)


def short(value: Any, limit: int = 80) -> str:
    """A value for a sentence, cut at `limit` characters."""
    text = value if isinstance(value, str) else repr(value)
    return text if len(text) <= limit else text[: limit - 3] + "..."


def quoted(value: Any) -> str:
    """A value in quotes, cut."""
    return short(repr(value))
