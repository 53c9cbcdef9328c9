"""What the fold of an era yields: its looks, its walks, when messages left.

A look is a snapshot, held against the states that it may show.
"""

from dataclasses import dataclass, field
from itertools import groupby
from typing import Any

from harness.checkers.calls import Snapshot, Walk
from harness.checkers.order import Order
from harness.checkers.store import Stored, Text


@dataclass(slots=True, eq=False)
class Look:
    """One snapshot and the states of the model that it shows.

    `fits` are the first and last fitting positions inside [low, high], `elsewhere`
    the last fitting position outside; `expected` is the window at `low`, `stored` the
    number of stored messages at the first fitting position (`fewest`, `most` of them
    over all of [low, high]). `doubtful`: nobody knows what the life began with.
    """

    snapshot: Snapshot
    order: Order
    low: int
    high: int
    texts: list[Text]
    judged: bool = True
    fits: tuple[int, int] | None = None
    elsewhere: int | None = None
    expected: list[Stored] = field(default_factory=list)
    fewest: int = 0
    most: int = 0
    stored_known: bool = True
    doubtful: bool = False


@dataclass(slots=True)
class Stroll:
    """A finished walk: what it and the window before it showed, and had to show.

    Messages of which nobody knows whether they are stored are in neither. `loose` are
    messages of unknown order, with the bounds of when they were stored; they stand
    side by side in `expected`.
    """

    walk: Walk
    snapshot: Snapshot
    shown: list[Text]
    expected: list[Text]
    loose: dict[Text, tuple[float, float]]
    known: bool

    def agrees(self, got: list[Text]) -> bool:
        """Whether these are the messages expected, in an order that can be."""
        return self.tightened(got) == self.tightened(self.expected) and not any(
            self.loose[later][1] < self.loose[earlier][0]
            for place, later in enumerate(got)
            if later in self.loose
            for earlier in got[:place]
            if earlier in self.loose
        )

    def tightened(self, texts: list[Text]) -> list[Text]:
        """The same with the messages of each loose run sorted."""
        tight: list[Text] = []
        for is_loose, group in groupby(texts, key=self.loose.__contains__):
            run = list(group)
            tight += sorted(run, key=repr) if is_loose else run
        return tight


@dataclass(slots=True, eq=False)
class LifeModel:
    """One era: its looks and walks, and when each message left the window.

    `gone` tells for a window id after how many events it was surely not interactive;
    `pushed` lists (events, window id, text) of evictions, `mids` the window ids that
    create events gave, `names` the messages behind window ids, `reused` the places of
    creates whose window id another message had before. From `blind_at` on the events
    do not tell the state any more.
    """

    order: Order
    known: bool
    blind_at: int | None = None
    looks: list[Look] = field(default_factory=list)
    strolls: list[Stroll] = field(default_factory=list)
    gone: dict[str, int] = field(default_factory=dict)
    pushed: list[tuple[int, str, Any]] = field(default_factory=list)
    reused: list[int] = field(default_factory=list)
    ids: set[str] = field(default_factory=set)
    mids: dict[str, str] = field(default_factory=dict)
    ids_known: bool = False
    names: dict[str, str] = field(default_factory=dict)

    @property
    def evicted(self) -> bool:
        """Whether any message was pushed out in this life."""
        return bool(self.pushed)
