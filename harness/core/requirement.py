"""What a requirement is; the table itself is data in `scenarios.requirements`."""

from enum import StrEnum

import msgspec

from harness.core.profile import Profile

__all__ = ["Level", "Profile", "Requirement"]


class Level(StrEnum):
    """RFC 2119: a broken MUST fails, a broken SHOULD warns."""

    MUST = "MUST"
    SHOULD = "SHOULD"


class Requirement(msgspec.Struct, frozen=True, kw_only=True):
    """One row: the slug in `id` is for ever, never renamed, never reused."""

    id: str
    level: Level
    profiles: tuple[Profile, ...]
    text: str
    source: str
