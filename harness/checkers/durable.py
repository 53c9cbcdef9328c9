"""The rule that acknowledged writes outlive the process: write/durable.

Looked at where a later life on the same data shows messages: its first snapshots and
its finished walks. The window is the end of what is stored, so a message that is
newer than a shown one and not shown itself is gone.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from math import inf
from typing import Any

from harness.checkers.calls import Call, Snapshot, Walk, value_of
from harness.checkers.case import Case
from harness.checkers.look import HELD, Look, broken, quoted, rule
from harness.checkers.sse import read_json
from harness.core.history import F
from harness.core.profile import WINDOWED

ACKNOWLEDGED = ("author", "createdAt", "updatedAt")
"""What section 3 has in a stored message, besides its text. A nonce is for whoever
waits for the answer; whether it is stored is left open."""


@dataclass(slots=True)
class Saga:
    """Everything that was asked for one message, and in which lives."""

    ident: str
    create: Call | None = None
    updates: list[Call] = field(default_factory=list)
    deletes: list[Call] = field(default_factory=list)


@dataclass(slots=True)
class Sighted:
    """What one look of a later life shows: ident -> value; `whole` when nothing is
    hidden behind the window. The `newest` are those of the snapshot.
    """

    ops: tuple[int | None, ...]
    values: dict[str, dict[str, Any]]
    newest: frozenset[str]
    whole: bool
    at_s: float


@rule("write/durable")
def durable(case: Case) -> Iterator[Look]:
    """ "an acknowledged write survives kill -9"."""
    sagas: dict[str, Saga] | None = None
    for span in case.lives.spans:
        before = case.lives.earlier(span.number)
        if before is None or span.empty:
            continue
        sagas = sagas_of(case) if sagas is None else sagas
        old = kept_lives(case, span.number)
        for sighted in sightings(case, span.number):
            yield from _survived(sagas, old, sighted)


def kept_lives(case: Case, number: int) -> set[int]:
    """The earlier lives whose data this life has."""
    kept: set[int] = set()
    for span in case.lives.spans:
        if span.empty:
            kept.clear()
        if span.number == number:
            break
        kept.add(span.number)
    return kept


def sagas_of(case: Case) -> dict[str, Saga]:
    models, sagas = case.models, dict[str, Saga]()
    names = {(n, mid): i for n, m in models.items() for mid, i in m.names.items()}
    for call in case.calls.writes:
        if call.invoke.f is F.CREATE and not call.failed:
            ident = call.invoke.nonce or call.invoke.text
            sagas.setdefault(ident, Saga(ident)).create = call
            body = read_json(call.answer.body) if call.answer and call.ok else None
            if isinstance(body, dict) and call.era is not None:
                names.setdefault((call.era, str(body.get("id"))), ident)
    for call in case.calls.writes:
        if call.invoke.f is not F.CREATE and not call.failed:
            for era in call.eras:
                found = sagas.get(names.get((era, call.invoke.about), ""))
                if found is not None:
                    kind = call.invoke.f is F.UPDATE
                    (found.updates if kind else found.deletes).append(call)
    return sagas


def sightings(case: Case, life: int) -> Iterator[Sighted]:
    snapshots = case.snapshots_in(life)
    for snapshot in dict.fromkeys([*snapshots[:1], *snapshots[-1:]]):
        yield _shown(case, snapshot, None)
    for walk in case.calls.walks:
        if walk.finished and all(call.life == life for call in walk.calls):
            first = walk.calls[0]
            own = [
                s for s in snapshots if s.who == first.invoke.who and s.call.n < first.n
            ]
            if own:
                yield _shown(case, own[-1], walk)


def _shown(case: Case, snapshot: Snapshot, walk: Walk | None) -> Sighted:
    items = [*(walk.oldest_first() if walk else ()), *snapshot.messages]
    values = {case.idents.of(value_of(i)): value_of(i) for i in items}
    last = walk.calls[-1] if walk else snapshot.call
    small = len(snapshot.messages) < case.shown_limit
    ops = (snapshot.call.n, last.done_n)
    return Sighted(
        ops,
        values,
        frozenset(case.idents.of(value_of(one)) for one in snapshot.messages),
        walk is not None or (small and _ungapped(case, snapshot)),
        last.done_s,
    )


def _ungapped(case: Case, snapshot: Snapshot) -> bool:
    """Whether no delete of this life can have made a full window short."""
    call = snapshot.call
    return case.profile not in WINDOWED or not any(
        other.invoke.f is F.DELETE
        and not other.failed
        and call.life in other.lives
        and other.invoke.t_s <= call.done_s
        for other in case.calls.writes
    )


def source_of(saga: Saga, sighted: Sighted) -> tuple[Any, Call | None]:
    """The text that is shown, and the write that made it."""
    shown = sighted.values[saga.ident].get("text")
    writes = [*([saga.create] if saga.create else []), *saga.updates]
    return shown, next((one for one in writes if one.invoke.text == shown), None)


def _survived(
    sagas: dict[str, Saga], old: set[int], sighted: Sighted
) -> Iterator[Look]:
    newest_s = min(
        (
            saga.create.acked_s
            for ident in sighted.values
            if (saga := sagas.get(ident)) and saga.create
        ),
        default=inf,
    )
    checked = False
    for saga in sagas.values():
        call = saga.create
        if call is None or not set(call.lives) <= old:
            continue
        look = _fate(saga, old, sighted, newest_s)
        checked = checked or (call.ok and saga.ident in sighted.values)
        if look is not None:
            yield look
    if checked:
        yield HELD


def _fate(saga: Saga, old: set[int], sighted: Sighted, newest_s: float) -> Look | None:
    """What is wrong with one message of the earlier lives, if anything."""
    call = saga.create
    assert call is not None
    if saga.ident not in sighted.values:
        maybe_gone = any(d.invoke.t_s <= sighted.at_s for d in saga.deletes)
        due = sighted.whole or call.invoke.t_s > newest_s
        if not call.ok or maybe_gone or not due:
            return None
        sentence = (
            f"message {quoted(call.invoke.text)}, acknowledged at "
            f"{call.acked_s:.3f} s, is gone after the restart"
        )
        return broken(sentence, call.n, call.done_n, *sighted.ops)
    gone = next((d for d in saga.deletes if d.ok and set(d.lives) <= old), None)
    if gone is not None:
        sentence = f"message {quoted(call.invoke.text)} is back after the restart"
        return broken(sentence, gone.n, gone.done_n, *sighted.ops)
    return _changed(saga, call, old, sighted) or _other(saga, old, sighted)


def _changed(saga: Saga, call: Call, old: set[int], sighted: Sighted) -> Look | None:
    """A text that an update of an earlier life replaced, and shows again.

    What an update of the sighting's own life changed was perhaps not yet so.
    """
    shown, mine = source_of(saga, sighted)
    if mine is None or not (mine.ok or mine is call):
        return None
    settled_s = mine.acked_s if mine.ok else mine.invoke.t_s
    for later in saga.updates:
        earlier = later.ok and set(later.lives) <= old
        if earlier and later.invoke.t_s > settled_s and later is not mine:
            sentence = (
                f"message {quoted(call.invoke.text)} shows {quoted(shown)} after the "
                f"restart, not {quoted(later.invoke.text)}, acknowledged at "
                f"{later.acked_s:.3f} s"
            )
            return broken(sentence, later.n, later.done_n, *sighted.ops)
    return None


def _other(saga: Saga, old: set[int], sighted: Sighted) -> Look | None:
    """The right text, but not as it was acknowledged, in a snapshot."""
    if saga.ident not in sighted.newest:
        return None
    shown, mine = source_of(saga, sighted)
    if mine is None or not mine.ok or not set(mine.lives) <= old or not mine.answer:
        return None
    acked, value = value_of(read_json(mine.answer.body)), sighted.values[saga.ident]
    for name in ACKNOWLEDGED:
        if name in acked and value.get(name) != acked[name]:
            sentence = (
                f"message {quoted(shown)} was acknowledged with {name} "
                f"{quoted(acked[name])} and has {quoted(value.get(name))} after the "
                "restart"
            )
            return broken(sentence, mine.n, mine.done_n, *sighted.ops)
    return None
