"""The requirement table as data (docs/protocol.md section 4), and the mark `judges`.

Only rows that a scenario judges are listed. Sources name the design note: B broadcast,
P private, I interesting; HTML is the WHATWG standard; "beyond" goes beyond the note.
"""

from collections.abc import Callable, Iterable
from typing import Any

import pytest

from harness.core.profile import (
    CHANGING,
    PERSONAL,
    RESETTING,
    RESUMABLE,
    WINDOWED,
    Profile,
)
from harness.core.requirement import Level, Requirement

__all__ = [
    "ALL",
    "BROADCAST",
    "CHANGING",
    "LIVE",
    "LOG",
    "NAIVE",
    "PERSONAL",
    "PRIVATE",
    "REQUIREMENTS",
    "RESETTING",
    "RESUMABLE",
    "WINDOWED",
    "judges",
    "profiles_of",
]

ALL = tuple(Profile)
LIVE = ("live",)
NAIVE, BROADCAST, LOG, PRIVATE = ((profile,) for profile in Profile)

_ROWS: tuple[tuple[str, str, tuple[Profile, ...], str, str], ...] = (
    (
        "stream/content-type",
        "MUST",
        ALL,
        "200, text/event-stream, UTF-8",
        "HTML",
    ),
    (
        "stream/first-frame-ping",
        "MUST",
        ALL,
        "the first frame of every stream, resumed ones too, is ping with a "
        "connection id and an interval",
        "P5, B7",
    ),
    (
        "stream/registered-before-ping",
        "MUST",
        ALL,
        "an event committed after the client has seen the ping frame is "
        "delivered on that stream",
        "beyond",
    ),
    (
        "stream/no-store",
        "SHOULD",
        ALL,
        "no-store, X-Accel-Buffering: no, no content encoding",
        "I",
    ),
    (
        "stream/keepalive",
        "SHOULD",
        ALL,
        "bytes at least every keepalive seconds on an idle stream",
        "I (nginx)",
    ),
    (
        "stream/survives-idle-proxy",
        "SHOULD",
        ALL,
        "the stream lives and delivers behind nginx for longer than its read timeout",
        "I (nginx)",
    ),
    (
        "ping/unique-connection",
        "MUST",
        ALL,
        "connection ids are never shared by two streams",
        "P5",
    ),
    (
        "ping/silent-dropped",
        "MUST",
        ALL,
        "a connection that is not pinged is ended within interval + grace and "
        "leaves the channel",
        "P5, I",
    ),
    (
        "ping/pinged-kept",
        "MUST",
        ALL,
        "a connection that is pinged in time is never ended for silence",
        "P5",
    ),
    (
        "ping/unknown-refused",
        "SHOULD",
        ALL,
        "a ping for an unknown or closed connection is refused with 404",
        "beyond",
    ),
    (
        "event/has-id",
        "MUST",
        RESUMABLE,
        "every event carries a non-empty id; control frames never move the "
        "cursor past an undelivered event",
        "B6, P2",
    ),
    (
        "event/order",
        "MUST",
        ALL,
        "events reach each client in commit order, the same for all clients",
        "B4",
    ),
    (
        "event/no-loss",
        "MUST",
        ALL,
        "between two events that a client applied in one epoch none is missing,"
        " unless a reset lies between",
        "B6.3, P4.3",
    ),
    (
        "event/no-duplicate",
        "MUST",
        ALL,
        "no event twice on a connection; after a resume from k nothing at or before k",
        "B6.3, P4.3",
    ),
    (
        "event/no-phantom",
        "MUST",
        ALL,
        "every event delivered is a committed change; a refused or failed write"
        " makes none",
        "B4",
    ),
    (
        "event/payload",
        "MUST",
        ALL,
        "one event id, one payload, for every client, for ever",
        "beyond",
    ),
    (
        "event/logged-before-sent",
        "MUST",
        RESETTING,
        "an event seen by any client can be resumed from at once",
        "B4",
    ),
    (
        "resume/at-head",
        "MUST",
        RESUMABLE,
        "cursor = head: nothing is replayed, no reset",
        "B6.2, P4.2",
    ),
    (
        "resume/within-log",
        "MUST",
        RESUMABLE,
        "cursor inside the log: exactly the later events, then live",
        "B6.3, P4.3",
    ),
    (
        "resume/oldest-minus-one",
        "MUST",
        RESETTING,
        "the cursor's own event is gone but the next one is kept: resumed in full",
        "B6.2, P4.2",
    ),
    (
        "resume/replay-live-join",
        "MUST",
        RESUMABLE,
        "events committed while a replay runs come once, in order",
        "beyond",
    ),
    (
        "resume/header-wins",
        "SHOULD",
        RESUMABLE,
        "header beats query when both are given",
        "beyond",
    ),
    (
        "resume/no-needless-reset",
        "MUST",
        RESUMABLE,
        "no reset where continuity holds",
        "B6.3, P4.3",
    ),
    (
        "resume/across-restart",
        "MUST",
        LOG,
        "a restart, killed or graceful, loses and repeats nothing and resets nobody",
        "P (single event)",
    ),
    (
        "reset/evicted",
        "MUST",
        RESETTING,
        "an event after the cursor is gone: reset",
        "B6.2, P4.2",
    ),
    (
        "reset/restart",
        "MUST",
        RESETTING,
        "after a server restart every cursor of the earlier life: reset",
        "B6.1, P4.1",
    ),
    (
        "reset/restart-reused-ids",
        "MUST",
        RESETTING,
        "also when the new life has already produced as many events as the "
        "cursor counts",
        "B6.1",
    ),
    (
        "reset/record-recreated",
        "MUST",
        PRIVATE,
        "also when the record was pruned away and made anew",
        "P2, P4",
    ),
    (
        "reset/unknown-cursor",
        "MUST",
        RESETTING,
        "malformed, foreign, negative, oversized or future cursor: reset, never"
        " a 5xx, never silence, never live",
        "beyond",
    ),
    (
        "reset/before-any-event",
        "MUST",
        RESETTING,
        "reset comes before any event, and no event follows it on that connection",
        "beyond",
    ),
    (
        "reset/once",
        "MUST",
        RESETTING,
        "one cause, one reset: the fresh stream after it works",
        "B6.1",
    ),
    (
        "reset/fresh-never",
        "MUST",
        ALL,
        "a stream opened without a cursor is never reset",
        "B6, P4",
    ),
    (
        "init/window",
        "MUST",
        BROADCAST,
        "the last limit messages, oldest first, integer window ids rising, "
        "limit stated",
        "B1, B2",
    ),
    (
        "init/oldest",
        "MUST",
        BROADCAST,
        "oldest present exactly when the database holds limit messages or more,"
        " and right",
        "B2",
    ),
    (
        "init/no-database-ids",
        "MUST",
        BROADCAST,
        "no database id leaves the server, on any path",
        "B2",
    ),
    (
        "init/from-cache",
        "MUST",
        BROADCAST,
        "/init reads no database: it answers, and right, while the database is away",
        "B1",
    ),
    (
        "init/gapless",
        "MUST",
        RESETTING,
        "snapshot + stream from its cursor (or stream first, then snapshot) "
        "misses and repeats nothing",
        "beyond",
    ),
    (
        "history/pages",
        "MUST",
        RESUMABLE,
        "paging from the snapshot back to the first message gives every message"
        " once, in order, also where timestamps tie",
        "B3, P1",
    ),
    (
        "history/not-interactive",
        "MUST",
        BROADCAST,
        "history pages carry no window ids",
        "B3",
    ),
    (
        "history/page-size",
        "MUST",
        PERSONAL,
        "200 a page, more right",
        "P1",
    ),
    (
        "write/durable",
        "MUST",
        ALL,
        "an acknowledged write survives kill -9",
        "beyond",
    ),
    (
        "write/before-broadcast",
        "MUST",
        ALL,
        "no event for a write that the database refused; the caller gets a 5xx and"
        " can try again",
        "B4",
    ),
    (
        "write/interactive-only",
        "MUST",
        WINDOWED,
        "update and delete of a message outside the window are refused and make"
        " no event",
        "B5",
    ),
    (
        "write/window-eviction",
        "MUST",
        WINDOWED,
        "a new message pushes the oldest out of a full window, for server and "
        "client alike",
        "B1",
    ),
    (
        "write/rate-limit",
        "MUST",
        PERSONAL,
        "the second message within a second: 429, nothing stored, nothing sent",
        "P3",
    ),
    (
        "write/bad-input",
        "MUST",
        ALL,
        "bad input: 4xx and an error body; nothing stored, nothing sent, the "
        "stream goes on",
        "beyond",
    ),
    (
        "private/uid-required",
        "MUST",
        PERSONAL,
        "every endpoint without the uid: 401",
        "P (warning)",
    ),
    (
        "private/isolation",
        "MUST",
        PERSONAL,
        "nothing of one uid reaches another: events, history, replays, ids, errors",
        "P",
    ),
    (
        "private/record-at-first-event",
        "MUST",
        PRIVATE,
        "opening a stream creates no record",
        "P2",
    ),
    (
        "private/prune",
        "MUST",
        PRIVATE,
        "events older than the retention leave the record at the next sweep; an "
        "empty record goes",
        "P2",
    ),
    (
        "private/all-tabs",
        "MUST",
        PERSONAL,
        "every open stream of a uid gets every event",
        "P",
    ),
    (
        "load/slow-reader",
        "MUST",
        ALL,
        "a stalled client neither delays others nor grows memory without bound; it "
        "is ended, not skipped",
        "beyond",
    ),
    (
        "load/herd",
        "SHOULD",
        ALL,
        "all clients reconnecting at once are served; retry is spread",
        "beyond",
    ),
    (
        "load/no-leak",
        "MUST",
        ALL,
        "after clients vanish (FIN, RST, black hole) connections, tasks and memory "
        "go back",
        "I",
    ),
    (
        "converge",
        "MUST",
        ALL,
        "once faults end, every client's view equals the server's",
        "all",
    ),
)

REQUIREMENTS: dict[str, Requirement] = {
    slug: Requirement(
        id=slug, level=Level(level), profiles=profiles, text=text, source=source
    )
    for slug, level, profiles, text, source in _ROWS
}


def profiles_of(slugs: Iterable[str]) -> tuple[Profile, ...]:
    """The profiles that have all of these requirements."""
    rows = [REQUIREMENTS[slug].profiles for slug in slugs]
    return tuple(one for one in Profile if all(one in row for row in rows))


def judges(
    *slugs: str,
    profiles: tuple[Profile, ...] | None = None,
    arms: tuple[str, ...] = ("sim", "live"),
) -> Callable[[Any], Any]:
    """Mark a scenario with the requirements that it must exercise.

    It runs in each profile that has all of them, or in the `profiles` named, on every
    arm unless some are named. Each requirement that the profile has must be exercised
    by the case's history, or its verdict there is unknown.
    """
    unknown = [slug for slug in slugs if slug not in REQUIREMENTS]
    if unknown or not slugs:
        raise ValueError(f"judges{slugs!r}: not in the requirement table: {unknown}")
    chosen = profiles_of(slugs) if profiles is None else profiles
    idle = [
        one
        for one in chosen
        if not any(one in REQUIREMENTS[slug].profiles for slug in slugs)
    ]
    if idle or not chosen:
        raise ValueError(
            f"judges{slugs!r}: nothing to judge in {idle or 'any profile'}"
        )
    return pytest.mark.judges(*slugs, profiles=chosen, arms=arms)
