"""What a server still owes to a cursor of its own, by what its profile lets go.

Source: docs/protocol.md sections 2 and 5. `broadcast` keeps so many events, `private`
keeps each for so long and forgets a record with its last event, `log` has a database.
"""

from collections.abc import Callable
from dataclasses import dataclass
from math import inf
from typing import TYPE_CHECKING

from harness.checkers.order import Order
from harness.core.profile import Profile

if TYPE_CHECKING:
    from harness.checkers.case import Case


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A cursor at `position`, shown at `opened_s` and answered by `answered_s`.

    At least `low` and at most `high` events come after it.
    """

    order: Order
    position: int
    low: int
    high: int
    opened_s: float
    answered_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Owed:
    """What the server has of it, each None where nobody can know.

    `kept`: every event after the cursor is there. `gone`: some event after it is not.
    `own_gone`: the cursor's own event is not. `recreated`: what issued the cursor was
    forgotten, and there is another now.
    """

    kept: bool
    gone: bool
    own_gone: bool | None
    recreated: bool = False


def by_count(case: "Case", asked: Asked) -> Owed:
    """An event log bounded by count."""
    limit = case.limits.event_log_limit
    gone = asked.low > limit + case.tolerances.event_log
    own_gone = False if asked.high < limit else True if asked.low >= limit else None
    return Owed(kept=asked.high <= limit, gone=gone, own_gone=own_gone)


def by_age(case: "Case", asked: Asked) -> Owed:
    """A record bounded by age, which goes with its last event.

    Its cursors are those of its events: a place before the first belongs to none.
    """
    ages = _Ages(case, asked)
    own, first = asked.position - 1, asked.position
    if own < 0:
        return Owed(kept=False, gone=False, own_gone=None)
    oldest = first if asked.low else own
    recreated = any(ages.parted(place) for place in range(first, first + asked.low))
    unparted = all(ages.joined(place) for place in range(first, first + asked.high))
    return Owed(
        kept=ages.young(oldest) and unparted,
        gone=asked.low > 0 and ages.old(first),
        own_gone=True if ages.old(own) else False if ages.young(own) else None,
        recreated=recreated,
    )


def old_s(case: "Case") -> float:
    """How old an event is that some sweep has surely taken away."""
    limits = case.limits
    swept_ms = limits.retention_ms + limits.prune_every_ms + case.tolerances.prune_ms
    return swept_ms / 1000


class _Ages:
    """How old events were: surely young enough to be kept, or surely swept away."""

    def __init__(self, case: "Case", asked: Asked) -> None:
        self.case, self.order, self.asked = case, asked.order, asked
        limits = case.limits
        self.young_s = limits.retention_ms / 1000
        self.old_s = old_s(case)

    def young(self, place: int) -> bool:
        """Still kept when the cursor was answered."""
        return self.asked.answered_s - self.order.possible_s(place) < self.young_s

    def old(self, place: int) -> bool:
        """Gone when the cursor was shown."""
        return self._swept(place, self.asked.opened_s)

    def parted(self, place: int) -> bool:
        """The record had surely gone between an event and the one before it."""
        return self._swept(place - 1, self.order.possible_s(place))

    def _swept(self, place: int, by_s: float) -> bool:
        """A server that is held still, or starved, does not sweep.

        It cannot have been kept from it before the event was old, or after all.
        """
        since_s = self.order.certain_s(place)
        slack_s = self.case.slack_s(since_s + self.young_s, by_s, around_s=0.0)
        running = self.case.faults.running(since_s, by_s)
        return running and by_s - since_s > self.old_s + slack_s

    def joined(self, place: int) -> bool:
        """It had surely not."""
        order = self.order
        if place >= len(order.entries):  # not seen by the witness, so lately written
            return True
        return order.certain_s(place) - order.possible_s(place - 1) < self.young_s


def for_ever(case: "Case", asked: Asked) -> Owed:
    """A database."""
    del case, asked
    return Owed(kept=True, gone=False, own_gone=False)


LETS_GO: dict[Profile, Callable[["Case", Asked], Owed]] = {
    Profile.NAIVE: for_ever,
    Profile.BROADCAST: by_count,
    Profile.LOG: for_ever,
    Profile.PRIVATE: by_age,
}


def missed_since(case: "Case", era: int, position: int | None, until_s: float) -> bool:
    """Whether some event was surely committed after a place in an earlier era."""
    order = case.orders[era]
    if position is not None:
        # What its witness did not live to see came after all that it saw.
        unseen = not order.gappy and any(
            call.ok and call.era == era and call.invoke.t_s >= order.since_s
            for call in order.unplaced
        )
        if unseen or order.low(inf) > position:
            return True
    later = (o for o in case.orders.values() if o.life > era)
    return any(o.low(until_s) > 0 for o in later)
