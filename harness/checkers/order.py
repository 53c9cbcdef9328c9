"""The commit order of each era, as the witness without faults saw it.

"Ground truth being the writes that the harness itself had acknowledged and a witness
stream without faults" (docs/protocol.md section 5). Positions count from 0; a cursor
at position p has seen p events, so that entry p is the next one due.
"""

from bisect import bisect_right
from dataclasses import dataclass
from math import inf

from harness.checkers.calls import Call
from harness.checkers.connections import Conn, Sight
from harness.checkers.matching import Matching
from harness.checkers.sse import Block


@dataclass(slots=True, eq=False)
class Entry:
    """One event in commit order; certain from its answer or its first sighting on."""

    sight: Sight
    write: Call | None
    certain_s: float
    possible_s: float

    @property
    def block(self) -> Block:
        return self.sight.block


class Order:
    """The commit order of one era; `since_s` is when the witness came to see all.

    `life` is the era's number, that of its first life. `gappy` tells that the witness
    itself lost continuity in it.
    """

    def __init__(self, life: int, witness: list[Conn], matching: Matching) -> None:
        self.life = life
        self.witness = witness
        self.matching = matching
        pings = [conn.ping.t_s for conn in witness if conn.ping and not conn.reset]
        self.since_s = min(pings, default=inf)
        self.gappy = sum(1 for conn in witness if not conn.cursor and conn.ping) > 1
        self.unplaced: list[Call] = []
        self.entries: list[Entry] = []
        self.by_id: dict[str, int] = {}
        self.by_write: dict[Call, int] = {}
        self._bare: dict[tuple[str, str], int] = {}
        for conn in witness:
            for sight in conn.events:
                self._add(sight)

    def _add(self, sight: Sight) -> None:
        block = sight.block
        write = self.matching.write_of(block, self.life)
        if self._known(block, write) is not None:
            return
        place = len(self.entries)
        if write is not None:
            self.by_write[write] = place
        if block.id:
            self.by_id.setdefault(block.id, place)
        else:
            self._bare[block.kind, block.data] = place
        begun = write.invoke.t_s if write else -inf
        acked = write.acked_s if write else inf
        self.entries.append(Entry(sight, write, min(sight.t_s, acked), begun))

    def _known(self, block: Block, write: Call | None) -> int | None:
        if write is not None:
            return self.by_write.get(write)
        if block.id:
            return self.by_id.get(block.id)
        return self._bare.get((block.kind, block.data))

    def place(self, block: Block) -> int | None:
        """The position of an event; None when the witness never saw it."""
        places = block.places
        if self.life not in places:
            write = self.matching.write_of(block, self.life)
            found = self.by_write.get(write) if write is not None else None
            if found is None and block.id:
                found = self.by_id.get(block.id)
            places[self.life] = (
                found if found is not None else self._known(block, write)
            )
        return places[self.life]

    def close(self, first_seen: dict[Block, float], writes: list[Call]) -> None:
        """Bound the commit times: an order commits as a prefix.

        `unplaced` become the writes that this life may have carried out and that its
        witness did not see.
        """
        self.unplaced = [
            call
            for call in writes
            if not call.failed and self.life in call.eras and call not in self.by_write
        ]
        for entry in self.entries:
            seen_s = first_seen.get(entry.block, inf)
            entry.certain_s = min(entry.certain_s, seen_s)
        self._certain = [entry.certain_s for entry in self.entries]
        for i in range(len(self._certain) - 2, -1, -1):
            self._certain[i] = min(self._certain[i], self._certain[i + 1])
        self._possible = [entry.possible_s for entry in self.entries]
        for i in range(1, len(self._possible)):
            self._possible[i] = max(self._possible[i], self._possible[i - 1])

    def low(self, t_s: float) -> int:
        """How many events were surely committed at a time."""
        return bisect_right(self._certain, t_s)

    def high(self, t_s: float) -> int:
        """How many events were possibly committed at a time."""
        return max(bisect_right(self._possible, t_s), self.low(t_s))

    def certain_s(self, place: int) -> float:
        """From when on an event had surely been committed."""
        return self._certain[place]

    def possible_s(self, place: int) -> float:
        """Before this an event had surely not been committed."""
        return self._possible[place]

    @property
    def early(self) -> list[Call]:
        """Writes that may have been committed before the witness could see them."""
        return [call for call in self.unplaced if call.invoke.t_s < self.since_s]

    @property
    def begun_s(self) -> float:
        """Before this no write of the order had begun."""
        return self._possible[0] if self.entries else inf
