"""Operations: each Invoke with its completion, sorted by what it does."""

from dataclasses import dataclass, field
from math import inf
from typing import Any

from harness.checkers.kinds import Kinds
from harness.checkers.sse import read_json
from harness.core.history import (
    BROKEN_OFF,
    LEFT,
    Answer,
    F,
    Fail,
    Info,
    Invoke,
    Ok,
)

WRITES = frozenset((F.CREATE, F.UPDATE, F.DELETE))


@dataclass(slots=True, eq=False)
class Call:
    """One operation; without a completion it may have happened, like Info.

    `life` is the only life in which it can have been carried out, else None; `era` the
    only commit order that it can belong to.
    """

    invoke: Invoke
    done: Ok | Fail | Info | None = None
    life: int | None = None
    lives: list[int] = field(default_factory=list)
    era: int | None = None
    eras: list[int] = field(default_factory=list)

    @property
    def n(self) -> int:
        return self.invoke.n

    @property
    def own(self) -> bool:
        """Whether a user did this, not the support side."""
        return not self.invoke.support

    @property
    def ok(self) -> bool:
        return isinstance(self.done, Ok)

    @property
    def failed(self) -> bool:
        return isinstance(self.done, Fail)

    @property
    def done_n(self) -> int | None:
        return self.done.n if self.done else None

    @property
    def acked_s(self) -> float:
        """When it had surely happened; never for anything but Ok."""
        return self.done.t_s if self.done is not None and self.ok else inf

    @property
    def done_s(self) -> float:
        return self.done.t_s if self.done else inf

    @property
    def answer(self) -> Answer | None:
        return self.done.answer if self.done else None

    @property
    def broken_off(self) -> bool:
        """Whether the harness itself left before an answer could come."""
        error = self.done.error if isinstance(self.done, Info) else ""
        return self.done is None or error == BROKEN_OFF

    @property
    def left(self) -> bool:
        """Whether its sender left on purpose before all of it was sent."""
        return isinstance(self.done, Info) and self.done.error == LEFT

    @property
    def status(self) -> int:
        """The answer's status; 0 when there was none."""
        return self.answer.status if self.answer else 0


@dataclass(slots=True, eq=False)
class Snapshot:
    """One snapshot; `messages` holds only what has the shape of a list."""

    call: Call
    body: Any
    messages: list[Any]
    cursor: str | None

    @property
    def who(self) -> str:
        return self.call.invoke.who

    @property
    def texts(self) -> list[tuple[Any, Any]]:
        """Author and text of each message."""
        return [signature(message) for message in self.messages]


@dataclass(slots=True)
class Walk:
    """Pages of one walk back through the history, in the order asked for."""

    number: int
    calls: list[Call]
    pages: list[list[Any]]
    finished: bool

    def oldest_first(self) -> list[Any]:
        """All items: later pages are older, each page is oldest first."""
        return [item for page in reversed(self.pages) for item in page]


def value_of(message: Any) -> dict[str, Any]:
    """The value of a {id, value} object; empty for any other shape."""
    value = message.get("value") if isinstance(message, dict) else None
    return value if isinstance(value, dict) else {}


def signature(message: Any) -> tuple[Any, Any]:
    """Author and text, by which messages are compared (texts are unique)."""
    value = value_of(message)
    return _plain(value.get("author")), _plain(value.get("text"))


def _plain(value: Any) -> Any:
    return value if isinstance(value, str | int | float | None) else repr(value)


class Calls:
    """Every operation of a case, by kind, in the order of their Invoke."""

    def __init__(self, kinds: Kinds) -> None:
        self.all: dict[int, Call] = {}
        self.by_f: dict[F, list[Call]] = {f: [] for f in F}
        for invoke in kinds.of(Invoke):
            call = self.all[invoke.n] = Call(invoke)
            self.by_f[invoke.f].append(call)
        ends: list[Ok | Fail | Info] = [*kinds.of(Ok), *kinds.of(Fail), *kinds.of(Info)]
        for done in ends:
            begun = self.all.get(done.call)
            if begun is not None and begun.n < done.n:
                begun.done = begun.done or done
        self.writes = [call for call in self.all.values() if call.invoke.f in WRITES]
        self.snapshots = _snapshots(self.by_f[F.INIT])
        self.walks = _walks(self.by_f[F.HISTORY])


def _snapshots(calls: list[Call]) -> list[Snapshot]:
    snapshots = []
    for call in calls:
        if call.ok and call.answer is not None and not call.answer.truncated:
            body = read_json(call.answer.body)
            found = body if isinstance(body, dict) else {}
            messages, cursor = found.get("messages"), found.get("cursor")
            snapshots.append(
                Snapshot(
                    call,
                    body,
                    messages if isinstance(messages, list) else [],
                    cursor if isinstance(cursor, str) and cursor else None,
                )
            )
    return snapshots


def page_of(call: Call) -> list[Any] | None:
    """The items of one history answer; None when it has none to show."""
    if not call.ok or call.answer is None or call.answer.truncated:
        return None
    body = read_json(call.answer.body)
    items = body.get("messages") if isinstance(body, dict) else body
    return items if isinstance(items, list) else None


def _walks(calls: list[Call]) -> list[Walk]:
    grouped: dict[tuple[str, int], list[Call]] = {}
    for call in calls:
        if call.invoke.walk:
            grouped.setdefault((call.invoke.who, call.invoke.walk), []).append(call)
    walks = []
    for (_, number), steps in grouped.items():
        pages = [page for call in steps if (page := page_of(call)) is not None]
        finished = len(pages) == len(steps) and not pages[-1]
        walks.append(Walk(number, steps, pages, finished))
    return walks
