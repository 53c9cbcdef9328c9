"""Deliberate bugs, planted at start: which requirement must find each.

`also` names what may be blamed besides, and why. The server itself knows none of them:
planting replaces a method of one of its classes.
"""

import asyncio
import secrets
from collections.abc import Callable
from contextvars import ContextVar
from functools import partial, wraps
from pathlib import Path
from typing import Any, NamedTuple

from tests.foreign import desk as desks
from tests.foreign.desk import Desk
from tests.foreign.event import Event
from tests.foreign.journal import Journal, Row
from tests.foreign.listener import Audience, Listener
from tests.foreign.ring import Ring
from tests.foreign.room import Room, Said
from tests.foreign.wire import Json, Refused, Request, answer


class Bug(NamedTuple):
    """One bug; `plant` puts it in."""

    name: str
    profile: str
    requirement: str
    also: dict[str, str]
    plant: Callable[[], None]

    def told(self) -> dict[str, str]:
        """As `--list-bugs` shows it."""
        return {
            "name": self.name,
            "profile": self.profile,
            "requirement": self.requirement,
            "description": str(self.plant.__doc__),
        }


BUGS: dict[str, Bug] = {}
Plant = Callable[[], None]

FOLLOWS = "what a client was told wrongly it shows wrongly"
LOST = "what a replay lacks is lost to the client"
GONE = "what was acknowledged and is gone is missing there too"
AGAIN = {
    "resume/at-head": "who missed nothing gets it again too",
    "resume/within-log": "what comes again comes before the missed ones",
    "resume/replay-live-join": "what comes again may come where both join",
}


def bug(
    requirement: str, also: dict[str, str] | None = None, *, profile: str = "broadcast"
) -> Callable[[Plant], Plant]:
    """Register a function that plants; its name and docstring are the bug's."""

    def register(plant: Plant) -> Plant:
        name = plant.__name__.replace("_", "-")
        BUGS[name] = Bug(name, profile, requirement, also or {}, plant)
        return plant

    return register


def put(owner: type, name: str) -> Callable[[Callable[..., Any]], None]:
    """Replace a method by one that gets the old one first."""

    def patch(new: Callable[..., Any]) -> None:
        old = getattr(owner, name)

        @wraps(old)
        def method(*rest: Any, **more: Any) -> Any:
            return new(old, *rest, **more)

        setattr(owner, name, method)

    return patch


# ---- streams -------------------------------------------------------------------------


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


# ---- snapshots and writes ------------------------------------------------------------


@bug("init/window", {"converge": "the last snapshot is looked at there"})
def update_moves_to_end() -> None:
    """An updated message becomes the window's last."""

    @put(Room, "edit")
    def edit(old: Any, room: Room, request: Request, ident: str) -> Any:
        done = old(room, request, ident)
        room.window[int(ident)] = room.window.pop(int(ident))
        return done


@bug("init/window")
def id_used_again() -> None:
    """A new message gets the id after the newest in the window."""

    @put(Room, "admit")
    def admit(old: Any, room: Room, row: int, value: Json) -> Said:
        if room.window:
            room.next_id = max(room.window) + 11
        said: Said = old(room, row, value)
        return said


@bug("init/oldest")
def oldest_by_window() -> None:
    """`oldest` is there when the window is full, not when enough is stored."""

    @put(Room, "oldest")
    def oldest(old: Any, room: Room, messages: list[Json]) -> Any:
        return old(room, messages) if len(messages) >= room.limits.window else None


@bug("init/oldest")
def oldest_one_late() -> None:
    """`oldest` is missing when exactly a window is stored."""

    @put(Room, "oldest")
    def oldest(old: Any, room: Room, messages: list[Json]) -> Any:
        return None if room.stored == room.limits.window else old(room, messages)


@bug("write/bad-input")
def error_is_a_string() -> None:
    """An error body has a sentence where code and message should be."""

    @put(Refused, "answer")
    def told(_: Any, refused: Refused) -> bytes:
        return answer(refused.status, {"error": str(refused)})


@bug(
    "write/durable",
    {
        "init/window": GONE,
        "history/pages": GONE,
        "converge": GONE,
        "init/no-database-ids": "what pushed others out is gone: they are back",
    },
)
def commit_after_broadcast() -> None:
    """Events and answers go out first; the commit follows half a second later."""
    open_journals: set[Journal] = set()

    @put(Journal, "_run")
    def run(old: Any, journal: Journal, sql: str, *values: object) -> Any:
        if sql.startswith(("INSERT", "UPDATE", "DELETE")) and not open_journals:
            old(journal, "BEGIN")
            open_journals.add(journal)
            asyncio.get_running_loop().call_later(0.5, commit, old, journal)
        return old(journal, sql, *values)

    def commit(old: Any, journal: Journal) -> None:
        old(journal, "COMMIT")
        open_journals.clear()


# ---- the support desk ----------------------------------------------------------------

log_bug = partial(bug, profile="log")


@log_bug(
    "private/isolation",
    {
        "history/pages": "the page shown is that of another's messages",
        "converge": FOLLOWS,
    },
)
def uid_of_connection() -> None:
    """The uid of a connection's first request is believed for all that follow."""
    first = ContextVar("first", default="")

    @put(Desk, "uid")
    def uid(old: Any, desk: Desk, request: Request) -> str:
        first.set(first.get() or old(desk, request))
        return first.get()


@log_bug(
    "resume/across-restart",
    {
        **AGAIN,
        "event/no-duplicate": "all comes again after a restart",
        "event/no-phantom": "an event has another id in each life, as if it were two",
    },
)
def key_of_each_life() -> None:
    """Cursors are signed with a key of this life; others count as malformed."""
    key = secrets.token_hex(3)
    mark, row_of = desks.mark, desks.row_of
    desks.mark = lambda n: f"{mark(n)}.{key}"
    desks.row_of = lambda cursor: row_of(cursor.removesuffix(f".{key}"))


@log_bug("event/payload", {"converge": FOLLOWS})
def desk_signs_live() -> None:
    """Live, but not in the journal, every message is signed by the desk."""

    @put(Audience, "tell")
    def tell(old: Any, audience: Audience, event: Event, owner: str) -> None:
        value = {**event.data["value"], "author": "the desk"}
        old(audience, event._replace(data={**event.data, "value": value}), owner)


@log_bug("write/rate-limit")
def rate_of_everybody() -> None:
    """One message a second is the limit of all users together."""

    @put(Desk, "__init__")
    def init(old: Any, desk: Desk, *rest: Any) -> None:
        old(desk, *rest)
        desk.spoke_s = Everybody()

    class Everybody(dict[str, float]):
        def get(self, _: str, default: Any = None) -> Any:
            return max(self.values(), default=default)


@log_bug("write/rate-limit")
def wait_in_fractions() -> None:
    """`retry-after` tells fractions of a second."""

    @put(Refused, "__init__")
    def init(old: Any, refused: Refused, *rest: Any, **more: Any) -> None:
        old(refused, *rest, **more)
        refused.headers = tuple(f"{header}.5" for header in refused.headers)


@log_bug(
    "event/no-duplicate",
    {**AGAIN, "resume/across-restart": "also in the next life"},
)
def same_second_again() -> None:
    """A replay begins with the messages of the cursor's own second."""

    @put(Journal, "after")
    def after(old: Any, journal: Journal, uid: str, n: int) -> list[Row]:
        rows: list[Row] = old(journal, uid, 0)
        own_s = [r.value["createdAt"] // 1000 for r in rows if r.n == n]
        since_s = min(own_s, default=0)
        return [r for r in rows if r.value["createdAt"] // 1000 >= since_s]


@log_bug(
    "resume/within-log",
    {
        "event/no-loss": LOST,
        "resume/replay-live-join": "the gap may lie where both join",
        "converge": FOLLOWS,
    },
)
def replay_of_a_page() -> None:
    """A replay brings the last two hundred messages, as the history does."""

    @put(Journal, "after")
    def after(old: Any, journal: Journal, uid: str, n: int) -> list[Row]:
        rows: list[Row] = old(journal, uid, n)
        return rows[-desks.PAGE :]
