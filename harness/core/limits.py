"""What a target declares that it keeps, and how long it waits: by this it is judged."""

from typing import Annotated

import msgspec

from harness.core.profile import Profile
from harness.core.strict import Strict

Count = Annotated[int, msgspec.Meta(ge=1, le=1_000_000)]
Milliseconds = Annotated[int, msgspec.Meta(ge=1, le=86_400_000)]


class Limits(Strict, frozen=True, kw_only=True):
    """Limits of one profile; 0 is a limit that its profile does not have.

    `message_limit` bounds the message window, `event_log_limit` the event log.
    `retention_ms` is how long a personal record keeps an event; each `prune_every_ms`
    a sweep takes away what is older.
    """

    message_limit: Count = 0
    event_log_limit: Count = 0
    retention_ms: Milliseconds = 0
    prune_every_ms: Milliseconds = 0
    ping_interval_ms: Milliseconds
    ping_grace_ms: Milliseconds
    keepalive_ms: Milliseconds
    max_body_bytes: Count = 65_536


class Tolerances(Strict, frozen=True, kw_only=True):
    """How far a timed limit may be missed before that counts as broken.

    `event_log` is how many events past its limit the target may still keep, `prune_ms`
    how late a sweep may be.
    """

    ping_ms: Milliseconds = 500
    keepalive_ms: Milliseconds = 500
    prune_ms: Milliseconds = 500
    settle_ms: Milliseconds = 5_000
    event_log: Annotated[int, msgspec.Meta(ge=0)] = 0


class Load(Strict, frozen=True, kw_only=True):
    """What a target declares of itself under load, whatever the profile.

    `backlog_events` may wait for a client that does not read, what the kernel holds
    aside, before the server ends it; meanwhile an event may come to the others
    `delay_factor` times as late as without it. Resident memory may grow by `memory_mb`
    (of 1,048,576 bytes) and that is no leak.
    """

    backlog_events: Annotated[int, msgspec.Meta(ge=1, le=10_000)] = 1_000
    delay_factor: Annotated[float, msgspec.Meta(ge=1, le=1_000)] = 3.0
    memory_mb: Annotated[int, msgspec.Meta(ge=1, le=1_000_000)] = 64


OWN: dict[Profile, tuple[str, ...]] = {
    Profile.NAIVE: ("message_limit",),
    Profile.BROADCAST: ("message_limit", "event_log_limit"),
    Profile.LOG: (),
    Profile.PRIVATE: ("retention_ms", "prune_every_ms"),
}
"""The limits that some profiles have: required where named, refused elsewhere."""
