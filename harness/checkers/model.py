"""The chat of each era, folded over its commit order and held against every look.

"Window semantics" of docs/protocol.md section 3; a look is a snapshot or a walk through
the history. A look may show any state between the events surely committed
when it was asked for and those possibly committed when it came.
"""

from typing import TYPE_CHECKING

from harness.checkers import base
from harness.checkers.base import Idents, Seen
from harness.checkers.calls import Call, Snapshot, Walk, signature, value_of
from harness.checkers.order import Entry, Order
from harness.checkers.shown import LifeModel, Look, Stroll
from harness.checkers.store import Chat, Stored
from harness.core.profile import WINDOWED

if TYPE_CHECKING:
    from harness.checkers.case import Case

EXPLAINED = 20
"""So many looks that fit nowhere are searched for in the whole era."""


def build_models(case: "Case") -> dict[int, LifeModel]:
    """Fold every era in order; each hands its stored messages to the next."""
    idents = case.idents
    models: dict[int, LifeModel] = {}
    carried: list[Stored] | None = None
    left: list[Call] = []
    doubtful: set[str] = set()
    for span in {era.number: era for era in case.eras.values()}.values():
        if span.empty:
            carried, left, doubtful = [], [], set()
        fold = _Fold(case, case.orders[span.number], idents, doubtful)
        fold.begin(carried, left)
        fold.run()
        models[span.number] = fold.model
        carried, left = fold.end()
    return models


class _Fold:
    """Folds one era.

    `doubtful` are messages of which nobody knows whether, or how, they are stored: an
    end of the server cut a write off, and the life after showed nothing of it. They
    stay so for good, whatever a later life shows, for their place is not known.
    """

    def __init__(
        self, case: "Case", order: Order, idents: Idents, doubtful: set[str]
    ) -> None:
        self.doubtful = doubtful
        self.case, self.order, self.idents = case, order, idents
        self.chat = Chat(case.shown_limit, windowed=case.profile in WINDOWED)
        self.seen: Seen = base.look_at(case, order.life, idents)
        self.model = LifeModel(order, known=True)
        self.model.ids_known = self.seen.first is not None
        self.doubt = 0
        self.early: list[Call] = []

    def begin(self, carried: list[Stored] | None, left: list[Call]) -> None:
        """Set the chat up as it was when the witness came to see everything."""
        orders = self.case.orders.values()
        early = self.early = [
            call
            for call in self.order.early
            if not any(call in order.by_write for order in orders)
            and base.is_before(call, self.seen, self.idents)
        ]
        if carried is None:
            self._anchor()
        else:
            names = {m.mid: m.ident for m in carried if m.mid} | base.named(left)
            self.chat.restart(carried)
            self.model.ids |= set(self.chat.by_mid)
            self.doubt = base.settle(self.chat, left, self.seen, self.idents, names)
            self.doubtful |= base.unsettled(left, self.seen, names)
            self.chat.restart(self._arranged())
        if early:
            names = self.seen.by_mid | base.named(early)
            self.doubt += base.settle(self.chat, early, self.seen, self.idents, names)
            self._reorder()
        self._name()

    def _anchor(self) -> None:
        self.model.known = False
        messages = base.anchor(self.case, self.order)
        if messages is None:
            self.model.blind_at = -1
            return
        for message in messages:
            value = value_of(message)
            ident, author = self.idents.of(value), value.get("author")
            self.chat.create(Stored(ident, author, value.get("text")))

    def _arranged(self) -> list[Stored]:
        messages = list(self.chat.stored.values())
        return base.arrange(messages, self.seen, self.idents)

    def _reorder(self) -> None:
        self.chat.reorder(self._arranged())

    def _name(self) -> None:
        """Give messages of the base the window ids that snapshots show."""
        for mid, ident in self.seen.by_mid.items():
            if ident in self.chat.stored and mid not in self.chat.by_mid:
                self.chat.by_mid[mid] = ident
                self.chat.stored[ident].mid = mid

    def run(self) -> None:
        """One pass over the commit order with every look in its range."""
        model, order = self.model, self.order
        base_chat = self.chat.copy()
        model.looks = self._looks()
        model.ids |= set(self.seen.by_mid)
        model.names |= self.seen.by_mid
        starts: dict[int, list[Look]] = {}
        for look in model.looks:
            starts.setdefault(look.low, []).append(look)
        walks = self._walks()
        active: list[Look] = []
        for place in range(len(order.entries) + 1):
            if model.blind_at is None:
                active += starts.get(place, ())
                self._compare(place, active)
                active = [look for look in active if look.high > place]
                for walk, snapshot in walks.get(place, ()):
                    self._stroll(walk, snapshot)
            if place < len(order.entries):
                self._apply(place, order.entries[place])
        for look in model.looks:
            seeing = model.blind_at is None or look.high <= model.blind_at
            look.judged = look.judged and seeing
        lost = [look for look in model.looks if look.judged and look.fits is None]
        if lost:
            self._search(base_chat, lost[:EXPLAINED])

    def _search(self, chat: Chat, lost: list[Look]) -> None:
        """Find the last state, outside the allowed ones, that explains a look."""
        live, self.chat = self.chat, chat
        scratch, self.model = self.model, LifeModel(self.order, known=True)
        for place in range(len(self.order.entries) + 1):
            texts = self.chat.texts()
            for look in lost:
                if look.texts == texts:
                    look.elsewhere = place
            if place < len(self.order.entries):
                self._apply(place, self.order.entries[place])
        self.chat, self.model = live, scratch

    def _looks(self) -> list[Look]:
        order, looks = self.order, []
        for snapshot in self.case.snapshots_of(order.life):
            call = snapshot.call
            low, high = order.low(call.invoke.t_s), order.high(call.done_s)
            look = Look(snapshot, order, low, high, snapshot.texts)
            look.doubtful = bool(self.doubtful)
            hidden = [w for w in order.unplaced if w.invoke.t_s <= call.done_s]
            if call.invoke.t_s < order.since_s:
                # The base has all that came before the witness, also what came later.
                look.judged = not hidden and not order.early
            else:
                look.judged = not any(w.ok and w not in self.early for w in hidden)
            looks.append(look)
        return looks

    def _walks(self) -> dict[int, list[tuple[Walk, Snapshot]]]:
        """Finished walks with no write in flight, by their position.

        Nor with one that was answered and whose event the witness never got: an end
        of the server may have come between.
        """
        found: dict[int, list[tuple[Walk, Snapshot]]] = {}
        for walk in self.case.calls.walks:
            snapshot = self._before(walk)
            if snapshot is None or not walk.finished:
                continue
            from_s, to_s = snapshot.call.invoke.t_s, walk.calls[-1].done_s
            place = self.order.low(from_s)
            stirred = any(
                write.invoke.t_s <= to_s
                and (write.done_s >= from_s or (write.ok and write not in self.early))
                for write in self.order.unplaced
            )
            quiet = self.order.high(to_s) == place and not stirred
            if quiet and from_s >= self.order.since_s:
                found.setdefault(place, []).append((walk, snapshot))
        return found

    def _before(self, walk: Walk) -> Snapshot | None:
        first = walk.calls[0]
        if any(call.era != self.order.life for call in walk.calls):
            return None
        own = [
            snapshot
            for snapshot in self.case.snapshots_of(self.order.life)
            if snapshot.who == first.invoke.who and snapshot.call.n < first.n
        ]
        return own[-1] if own else None

    def _compare(self, place: int, active: list[Look]) -> None:
        if not active:
            return
        texts, stored = self.chat.texts(), len(self.chat.stored)
        for look in active:
            if place == look.low:
                look.fewest = look.most = stored
                look.stored_known = self.model.known and not self.doubtful
            look.fewest = min(look.fewest, stored - self.doubt)
            look.most = max(look.most, stored + self.doubt)
            if look.texts == texts:
                look.fits = (look.fits[0] if look.fits else place, place)
            elif look.fits is None and place == look.high:
                look.expected = self.chat.shown()

    def _stroll(self, walk: Walk, snapshot: Snapshot) -> None:
        messages = [
            one for one in self.chat.stored.values() if one.ident not in self.doubtful
        ]
        shown = [
            item
            for item in (*walk.oldest_first(), *snapshot.messages)
            if self.idents.of(value_of(item)) not in self.doubtful
        ]
        self.model.strolls.append(
            Stroll(
                walk=walk,
                snapshot=snapshot,
                shown=[signature(item) for item in shown],
                expected=[message.signature for message in messages],
                loose={m.signature: m.committed_s for m in messages if m.committed_s},
                known=self.model.known,
            )
        )

    def _apply(self, place: int, entry: Entry) -> None:
        block, model = entry.block, self.model
        if entry.write is None or entry.write.failed:
            self._lose_sight(place)
            return
        mid, value = block.message_id, block.value
        text = entry.write.invoke.text or value.get("text")
        if block.kind == "create":
            model.ids.add(mid)
            author = base.author_of(entry.write) or value.get("author")
            ident = entry.write.invoke.nonce or entry.write.invoke.text
            stored = Stored(ident, author, text, mid=mid)
            if self.chat.by_mid.get(mid, ident) != ident:
                model.reused.append(place)
            model.mids.setdefault(stored.ident, mid)
            model.names[mid] = stored.ident
            pushed = self.chat.create(stored)
            if pushed is not None:
                model.gone.setdefault(pushed.mid, place + 1)
                model.pushed.append((place + 1, pushed.mid, pushed.text))
            return
        ident = self.chat.by_mid.get(mid) or self.idents.of(value)
        if block.kind == "update":
            if not self.chat.update(ident, text):
                self._lose_sight(place)
            elif isinstance(text, str):
                self.idents.by_text.setdefault(text, ident)
        elif self.chat.delete(ident) is None:
            self._lose_sight(place)
        else:
            model.gone.setdefault(mid, place + 1)

    def _lose_sight(self, place: int) -> None:
        if self.model.blind_at is None:
            self.model.blind_at = place

    def end(self) -> tuple[list[Stored] | None, list[Call]]:
        """What the next life begins with, and the writes that it may show."""
        early = self.early
        orders = self.case.orders.values()
        left = [
            call
            for call in self.order.unplaced
            if call not in early and not any(call in o.by_write for o in orders)
        ]
        if self.model.blind_at is not None:
            return None, left
        return list(self.chat.stored.values()), left
