"""What became of writes that ended in an error: a later life on the same data shows it.

Such a write may be stored or not, and nobody can be blamed for either; but an event
that told of it said that it is.
"""

from collections.abc import Iterator
from math import inf

from harness.checkers.case import Case
from harness.checkers.durable import (
    Saga,
    Sighted,
    kept_lives,
    sagas_of,
    sightings,
    source_of,
)
from harness.checkers.look import HELD, Look, broken, quoted


def fates(case: Case) -> Iterator[Look]:
    """What events told of such writes, against what a later life shows."""
    sagas: dict[str, Saga] = {}
    for span in case.lives.spans:
        if case.lives.earlier(span.number) is None or span.empty:
            continue
        sagas = sagas or sagas_of(case)
        old = kept_lives(case, span.number)
        for sighted in sightings(case, span.number):
            newest_s = _newest_s(sagas, sighted)
            for saga in sagas.values():
                if saga.create is not None and set(saga.create.lives) <= old:
                    yield from _fate(case, saga, old, sighted, newest_s)


def _newest_s(sagas: dict[str, Saga], sighted: Sighted) -> float:
    """Whatever began after this was newer than something that is shown."""
    acked = (
        saga.create.acked_s
        for ident in sighted.values
        if (saga := sagas.get(ident)) and saga.create
    )
    return min(acked, default=inf)


def _fate(
    case: Case, saga: Saga, old: set[int], sighted: Sighted, newest_s: float
) -> Iterator[Look]:
    call = saga.create
    assert call is not None
    due = sighted.whole or call.invoke.t_s > newest_s
    gone = any(one.invoke.t_s <= sighted.at_s for one in saga.deletes)
    if saga.ident in sighted.values:
        if call.status >= 500 and call in case.told:
            yield HELD
        yield from _changes(case, saga, old, sighted)
    elif call in case.told and not call.ok and due and not gone:
        sentence = (
            f"an event told of message {quoted(call.invoke.text)}, and the database "
            "does not hold it: it is gone after the restart"
        )
        yield broken(sentence, call.n, call.done_n, *sighted.ops)
    elif call.status >= 500 and call not in case.told and due:
        yield HELD


def _changes(case: Case, saga: Saga, old: set[int], sighted: Sighted) -> Iterator[Look]:
    """Updates and deletes of a message that is still there."""
    told = [one for one in saga.deletes if one in case.told and set(one.lives) <= old]
    if told and not any(one.ok for one in saga.deletes):
        sentence = (
            f"an event told that message {quoted(saga.ident)} was deleted, and it is "
            "back after the restart"
        )
        yield broken(sentence, told[0].n, told[0].done_n, *sighted.ops)
    shown, mine = source_of(saga, sighted)
    if mine is None:
        return
    for order in case.orders.values():
        for later in saga.updates:
            place = order.by_write.get(later)
            if place is None or later.ok or later is mine:
                continue
            if order.by_write.get(mine, place) < place and set(later.lives) <= old:
                sentence = (
                    f"an event told of the text {quoted(later.invoke.text)}, and the "
                    f"message shows {quoted(shown)} after the restart"
                )
                yield broken(sentence, later.n, later.done_n, *sighted.ops)
