"""Bugs of the room's window and of what is kept."""

import asyncio
from contextlib import suppress
from typing import Any

from tests.foreign.bugs.bug import FOLLOWS, GONE, bug, put
from tests.foreign.draft import new_value, now_ms
from tests.foreign.journal import Journal
from tests.foreign.room import Room, Said
from tests.foreign.wire import Json, Refused, Request, answer


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
    "write/before-broadcast",
    {
        "event/no-phantom": "the event tells of nothing stored",
        "init/window": "and the window lacks what it told",
        "history/pages": "and so do pages, after the next life",
        "converge": FOLLOWS,
    },
)
def commit_after_broadcast() -> None:
    """A create is told before the journal is asked, whose refusal comes too late."""

    @put(Room, "say")
    def say(old: Any, room: Room, request: Request) -> Any:
        try:
            return old(room, request)
        except Refused as refused:
            if refused.status == 503:
                value = new_value(request, at=now_ms())
                room.tell("create", Said(room.next_id, 0, value).shown())
                room.next_id += 11
            raise


@bug(
    "write/durable",
    {
        "init/window": GONE,
        "history/pages": GONE,
        "converge": GONE,
        "init/no-database-ids": "what pushed others out is gone: they are back",
        "write/before-broadcast": "events go out before the commit of their group",
    },
)
def commit_in_groups() -> None:
    """Half a second's writes are committed together, each long answered."""
    begun: set[Journal] = set()

    @put(Journal, "_run")
    def run(old: Any, journal: Journal, sql: str, *values: object) -> Any:
        if sql.startswith(("INSERT", "UPDATE", "DELETE")) and not begun:
            old(journal, "BEGIN")
            begun.add(journal)
            asyncio.get_running_loop().call_later(0.5, commit, old, journal)
        return old(journal, sql, *values)

    def commit(old: Any, journal: Journal) -> None:
        begun.clear()
        with suppress(Refused):
            old(journal, "COMMIT")
            return
        with suppress(Refused):
            old(journal, "ROLLBACK")
