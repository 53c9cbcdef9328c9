"""Bugs of the support desk."""

import secrets
from contextvars import ContextVar
from typing import Any

from tests.foreign import desk as desks
from tests.foreign.bugs.bug import AGAIN, FOLLOWS, LOST, log_bug, put
from tests.foreign.desk import Desk
from tests.foreign.event import Event
from tests.foreign.journal import Journal, Row
from tests.foreign.listener import Audience
from tests.foreign.wire import Refused, Request


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
