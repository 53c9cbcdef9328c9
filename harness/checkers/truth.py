"""Rules for what an event says: its id, its payload, the write behind it (event/*)."""

from collections.abc import Iterator

from harness.checkers.calls import Call
from harness.checkers.case import Case
from harness.checkers.connections import Conn, Sight
from harness.checkers.look import HELD, Look, broken, quoted, rule
from harness.checkers.returns import Origin
from harness.checkers.sse import NOT_JSON, Block, read_json
from harness.core.history import F
from harness.core.profile import RESUMABLE


@rule("event/has-id", RESUMABLE)
def has_id(case: Case) -> Iterator[Look]:
    """ "every event carries a non-empty id; control frames never move the cursor
    past an undelivered event".
    """
    for conn in case.conns:
        bare = next((s for s in conn.events if not s.block.id), None)
        if bare is not None:
            sentence = f"{conn.named} got a {bare.block.kind} event without an id"
            yield broken(sentence, bare.n)
        else:
            look = _moved(case, conn)
            if look is not None:
                yield look
            elif conn.events:
                yield HELD


def _moved(case: Case, conn: Conn) -> Look | None:
    found = case.return_of(conn)
    if found is not None and found.standing.origin is Origin.NOWHERE:
        return None
    for sight in conn.controls:
        if conn.reset is not None and sight.n >= conn.reset.n:
            return None
        if sight.block.id is None:
            continue
        look = _ahead(case, conn, sight)
        if look is not None:
            return look
    return None


def _ahead(case: Case, conn: Conn, control: Sight) -> Look | None:
    """Whether the id of a control frame is further than what was delivered."""
    given, sent = control.block.id, conn.cursor
    before = [s for s in conn.events if s.n < control.n]
    if given == (before[-1].block.id if before else sent):
        return None
    kind = control.block.kind or "bare"
    what = f"a {kind} frame on {conn.named} carries id {quoted(given)}"
    if sent or before:
        at = before[-1].block.id if before else sent
        return broken(f"{what}, but the client is at {quoted(at)}", control.n)
    order = case.order_of(conn)
    here = order.by_id.get(given or "") if order else None
    if here is not None:
        for sight, place in zip(conn.events, conn.places, strict=False):
            if place is not None and place <= here:
                sentence = f"{what}, which is not before event {quoted(sight.block.id)}"
                return broken(f"{sentence} that came after it", control.n, sight.n)
    return None


@rule("event/no-phantom")
def no_phantom(case: Case) -> Iterator[Look]:
    """ "every event delivered is a committed change; a refused or failed write makes
    none".
    """
    told: dict[Call, Sight] = {}
    for conn, sight in _distinct(case):
        call = case.write_of(sight, conn)
        look = _phantom(case, conn, sight, call)
        if look is None and call is not None:
            look = _second(told.setdefault(call, sight), sight, call)
        yield look or HELD


def _distinct(case: Case) -> Iterator[tuple[Conn, Sight]]:
    """Each event text once an era."""
    seen: set[tuple[int | None, Block]] = set()
    for conn in case.conns:
        for sight in conn.events:
            key = (conn.era, sight.block)
            if key not in seen:
                seen.add(key)
                yield conn, sight


def _phantom(case: Case, conn: Conn, sight: Sight, call: Call | None) -> Look | None:
    block = sight.block
    what = f"{block.kind} event {quoted(block.id)} of message {block.message_id}"
    if conn.era is None and call is None:
        return None
    if call is None and _known_by_id(case, conn, block):
        return None
    if call is None:
        sentence = f"{what} on {conn.named} belongs to no write: {quoted(block.data)}"
        return broken(sentence, sight.n)
    if call.failed:
        sentence = f"{what} tells of a write that was refused ({call.status})"
        return broken(sentence, call.n, call.done_n, sight.n)
    if sight.t_s < call.invoke.t_s and call.invoke.f is not F.DELETE:
        sentence = f"{what} came at {sight.t_s:.3f} s, before its write began"
        return broken(sentence, sight.n, call.n)
    return None


def _known_by_id(case: Case, conn: Conn, block: Block) -> bool:
    """Whether the same id came with a payload that does belong to a write."""
    order = case.order_of(conn)
    here = order.by_id.get(block.id or "") if order else None
    return (
        here is not None
        and order is not None
        and (order.entries[here].write is not None)
    )


def _second(first: Sight, sight: Sight, call: Call) -> Look | None:
    one, other = first.block, sight.block
    if one is other or (one.id and one.id == other.id):
        return None
    if not (one.id and other.id) and one.payload == other.payload:
        return None
    if call.invoke.f is F.DELETE and one.kind != other.kind:
        return None
    sentence = (
        f"one {call.invoke.f} made two events, {quoted(one.id)} and {quoted(other.id)}"
    )
    return broken(sentence, call.n, first.n, sight.n)


@rule("event/payload")
def payload(case: Case) -> Iterator[Look]:
    """ "one event id, one payload, for every client, for ever"."""
    first: dict[str, Sight] = {}
    for conn, sight in _distinct(case):
        look = _shape(sight.block, sight, conn) or _told_right(case, conn, sight)
        if look is None and sight.block.id:
            look = _same(first.setdefault(sight.block.id, sight), sight)
        yield look or HELD
    for call in case.calls.writes:
        if call.ok and call.invoke.f is not F.DELETE:
            yield from _answered(call)


def _answered(call: Call) -> Iterator[Look]:
    """Section 3: a write is answered "with the stored message", as its event tells."""
    body = read_json(call.answer.body) if call.answer else None
    told = body if isinstance(body, dict) and "id" in body else {}
    value = told.get("value")
    if not isinstance(value, dict) or value.get("text") != call.invoke.text:
        found = call.answer.body if call.answer else ""
        sentence = f"the {call.invoke.f} of {quoted(call.invoke.text)} was answered"
        yield broken(f"{sentence} {quoted(found)}", call.n, call.done_n)


def _shape(block: Block, sight: Sight, conn: Conn) -> Look | None:
    data = block.payload
    if data is NOT_JSON or not isinstance(data, dict):
        sentence = (
            f"{block.kind} event {quoted(block.id)} has data {quoted(block.data)}"
        )
        return broken(f"{sentence}, which is no JSON object", sight.n)
    valued = isinstance(data.get("value"), dict)
    if "id" not in data or valued != (block.kind != "delete"):
        sentence = f"{block.kind} event {quoted(block.id)} on {conn.named} has data"
        return broken(f"{sentence} {quoted(block.data)}", sight.n)
    return None


def _told_right(case: Case, conn: Conn, sight: Sight) -> Look | None:
    """The event says what was written."""
    call, block = case.write_of(sight, conn), sight.block
    if call is None or block.kind == "delete":
        return None
    told, written = block.value.get("text"), call.invoke.text
    if written and told != written:
        sentence = f"{block.kind} event {quoted(block.id)} says {quoted(told)}"
        return broken(f"{sentence}, written was {quoted(written)}", call.n, sight.n)
    answer = read_json(call.answer.body) if call.ok and call.answer else None
    stored = str(answer.get("id", "")) if isinstance(answer, dict) else ""
    if stored and stored != block.message_id:
        sentence = f"{block.kind} event {quoted(block.id)} is for {block.message_id}"
        return broken(f"{sentence}, its answer was for {stored}", call.n, sight.n)
    if block.kind == "update" and call.invoke.about != block.message_id:
        sentence = f"update event {quoted(block.id)} is for message {block.message_id}"
        return broken(f"{sentence}, written was {call.invoke.about}", call.n, sight.n)
    return None


def _same(first: Sight, sight: Sight) -> Look | None:
    one, other = first.block, sight.block
    if one is other or (one.kind, one.payload) == (other.kind, other.payload):
        return None
    sentence = (
        f"id {quoted(one.id)} came with {quoted(one.kind + ' ' + one.data)} and with "
        f"{quoted(other.kind + ' ' + other.data)}"
    )
    return broken(sentence, first.n, sight.n)
