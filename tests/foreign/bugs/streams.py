"""Bugs of streams: replays, resets, frames, pings."""

import asyncio
from pathlib import Path
from typing import Any

from tests.foreign.bugs.bug import FOLLOWS, LOST, bug, put
from tests.foreign.event import Event
from tests.foreign.journal import Journal
from tests.foreign.listener import Audience, Listener
from tests.foreign.ring import Ring
from tests.foreign.room import Room
from tests.foreign.wire import Request


@bug(
    "resume/within-log",
    {
        "event/no-loss": LOST,
        "event/logged-before-sent": "the event after the cursor was seen by others",
        "resume/replay-live-join": "the gap may lie where both join",
        "resume/oldest-minus-one": "a replay of the whole log runs over the seam",
        "converge": FOLLOWS,
    },
)
def seam_skips_one() -> None:
    """A replay that runs over the ring's seam begins one event too late."""

    @put(Ring, "between")
    def between(old: Any, ring: Ring, first: int, last: int) -> Any:
        size = len(ring.slots)
        return old(ring, first + (last % size < first % size), last)


@bug(
    "resume/within-log",
    {"event/no-loss": LOST, "resume/replay-live-join": "the gap lies where both join"},
)
def replay_compacted() -> None:
    """A replay brings of several updates of a message only the last."""

    @put(Listener, "replay")
    def replay(old: Any, listener: Listener, events: list[Event]) -> None:
        last = {e.data["id"]: e for e in events if e.kind == "update"}
        told = (e for e in events if e.kind != "update" or e is last[e.data["id"]])
        old(listener, told)


@bug("event/has-id")
def delete_without_id() -> None:
    """Delete events are told live without their id line."""

    @put(Event, "at_length")
    def at_length(old: Any, event: Event, whom: int) -> str:
        text: str = old(event, whom)
        bare = event.kind == "delete"
        return text.replace(f"id: {event.mark}\r\n", "") if bare else text


@bug("event/has-id")
def keepalive_with_id() -> None:
    """A keep-alive carries the id that the next event will have."""
    rings: list[Ring] = []

    @put(Ring, "__init__")
    def init(old: Any, ring: Ring, size: int) -> None:
        old(ring, size)
        rings.append(ring)

    @put(Listener, "murmur")
    def murmur(_: Any, listener: Listener) -> None:
        listener.write(f"id: {rings[0].mark(rings[0].head + 1)}\r\n\r\n")


@bug("event/payload", {"converge": FOLLOWS})
def replay_rounds_times() -> None:
    """Replayed events tell times in whole seconds."""

    @put(Event, "briefly")
    def briefly(old: Any, event: Event) -> str:
        value = dict(event.data.get("value", {}))
        if value:
            value["createdAt"] -= value["createdAt"] % 1000
            event = event._replace(data={**event.data, "value": value})
        return str(old(event))


@bug("reset/before-any-event")
def reset_lingers() -> None:
    """A stream that was reset listens on for a third of a second."""

    @put(Listener, "reset")
    def reset(old: Any, listener: Listener, reason: str) -> None:
        audience: Audience = listener.on_end.__self__  # type: ignore[attr-defined]
        end, listener.end = listener.end, lambda: None  # type: ignore[method-assign]
        old(listener, reason)
        listener.end = end  # type: ignore[method-assign]
        audience.join(listener, head=0)
        asyncio.get_running_loop().call_later(0.3, end)


@bug("reset/unknown-cursor")
def lenient_mark() -> None:
    """A mark is read as far as it makes sense; what follows is left out."""

    @put(Ring, "since")
    def since(old: Any, ring: Ring, mark: str) -> Any:
        return old(ring, mark[: len(ring.mark(1))])


@bug(
    "reset/restart-reused-ids",
    {
        "reset/restart": "the same cursors are those of an earlier life",
        "event/payload": "the same ids name other events in the new life",
        "converge": FOLLOWS,
    },
)
def boot_survives_kill() -> None:
    """The boot's name is kept on disk and changed by an orderly end only."""

    @put(Room, "__init__")
    def init(old: Any, room: Room, limits: Any, journal: Journal) -> None:
        old(room, limits, journal)
        kept = Path(limits.data) / "boot"
        if kept.exists():
            room.ring.boot = kept.read_text()
        kept.write_text(room.ring.boot)


@bug("ping/silent-dropped")
def ping_keeps_all() -> None:
    """A ping of one stream is taken for a ping of all."""

    @put(Audience, "ping")
    def ping(old: Any, audience: Audience, *rest: str) -> Any:
        for listener in audience.by_number.values():
            listener.pinged()
        return old(audience, *rest)


@bug("ping/unknown-refused", {"ping/silent-dropped": "it never leaves the list"})
def dead_still_pinged() -> None:
    """A ping for a stream that has ended is taken as well as any."""
    ever: set[str] = set()

    @put(Audience, "join")
    def join(old: Any, audience: Audience, listener: Listener, **more: Any) -> None:
        old(audience, listener, **more)
        ever.add(str(listener.number))

    @put(Audience, "ping")
    def ping(old: Any, audience: Audience, ident: str, owner: str) -> bool:
        return old(audience, ident, owner) or ident in ever


@bug("ping/unique-connection")
def id_from_cursor() -> None:
    """A resumed stream's id is made from the cursor that it came with."""
    came_with = [""]

    @put(Room, "stream")
    def stream(old: Any, room: Room, request: Request, writer: Any) -> Any:
        came_with[0] = request.mark[-6:]
        return old(room, request, writer)

    @put(Listener, "greet")
    def greet(old: Any, listener: Listener, mark: str) -> None:
        if came_with[0].isdecimal():
            listener.number = int(came_with[0])
        old(listener, mark)


@bug("stream/keepalive")
def keepalive_once() -> None:
    """Only one keep-alive comes after an event, then silence till the next."""

    @put(Listener, "murmur")
    def murmur(old: Any, listener: Listener) -> None:
        old(listener)
        listener.rest()
