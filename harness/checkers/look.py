"""What rules yield and how they are registered: one function, one requirement."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from harness.checkers.case import Case
from harness.core.profile import Profile
from harness.core.verdict import Sighting


class Look(NamedTuple):
    """One place where a requirement was exercised; its rule knows the slug."""

    sighting: Sighting
    ops: tuple[int, ...] = ()
    sentence: str = ""


HELD = Look(Sighting.HELD)

InChannel = Callable[[Case], Iterator[Look]]
Across = Callable[[Sequence[Case]], Iterator[Look]]


@dataclass(frozen=True, slots=True)
class Rule:
    """The rule of a requirement, and the profiles that have the requirement."""

    look: Across
    profiles: tuple[Profile, ...]


RULES: dict[str, Rule] = {}


def rule(
    slug: str, profiles: tuple[Profile, ...] = tuple(Profile)
) -> Callable[[InChannel], InChannel]:
    """Register the one rule of a requirement; it looks at each channel by itself."""

    def register(function: InChannel) -> InChannel:
        def look(channels: Sequence[Case]) -> Iterator[Look]:
            for case in channels:
                yield from function(case)

        _register(slug, Rule(look, profiles))
        return function

    return register


def rule_across(
    slug: str, profiles: tuple[Profile, ...] = tuple(Profile)
) -> Callable[[Across], Across]:
    """Register a rule that looks at all channels together."""

    def register(function: Across) -> Across:
        _register(slug, Rule(function, profiles))
        return function

    return register


def _register(slug: str, found: Rule) -> None:
    if slug in RULES:
        raise ValueError(f"two rules for {slug}")
    RULES[slug] = found


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
