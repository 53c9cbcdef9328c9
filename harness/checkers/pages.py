"""Rules for history pages, and for what leaves the server: history/* and
init/no-database-ids of docs/protocol.md section 4.
"""

from collections import Counter
from collections.abc import Iterator
from typing import Any

from harness.checkers.calls import Call, page_of, value_of
from harness.checkers.case import Case
from harness.checkers.look import HELD, Look, broken, quoted, rule, short
from harness.checkers.served import unserved
from harness.checkers.shown import LifeModel, Stroll
from harness.checkers.shown import Look as SnapshotLook
from harness.checkers.sse import read_json
from harness.core.history import F
from harness.core.profile import RESUMABLE, WINDOWED, Profile

VALUE_KEYS = frozenset(("author", "text", "createdAt", "updatedAt", "nonce"))


@rule("history/pages", RESUMABLE)
def pages(case: Case) -> Iterator[Look]:
    """ "paging from the snapshot back to the first message gives every message once,
    in order, also where timestamps tie".
    """
    for call in case.calls.by_f[F.HISTORY]:
        yield from _not_older(call)
    yield from _unserved(case)
    for model in case.models.values():
        for stroll in model.strolls:
            yield _complete(stroll)


def _unserved(case: Case) -> Iterator[Look]:
    """Only who walks back asks for what there surely is."""
    newest = [] if case.profile in WINDOWED else case.calls.by_f[F.INIT]
    for call in (*newest, *case.calls.by_f[F.HISTORY]):
        walks = call.invoke.f is F.INIT or call.invoke.walk > 0
        look = unserved(case, call, any_error=walks)
        if look is not None:
            yield look


def _not_older(call: Call) -> Iterator[Look]:
    """Section 3: a page holds "messages older than T", or those "before ID"."""
    query = call.invoke.request.query if call.invoke.request else {}
    if "before" in query:
        yield from _not_before(call, query["before"])
    asked = query.get("loadFrom", "")
    if not asked.isdecimal():
        return
    for item in page_of(call) or ():
        created = value_of(item).get("createdAt")
        if isinstance(created, int) and created >= int(asked):
            sentence = f"the page of messages older than {asked} holds one of {created}"
            yield broken(sentence, call.n, call.done_n)
            return


def _not_before(call: Call, asked: str) -> Iterator[Look]:
    for item in page_of(call) or ():
        if isinstance(item, dict) and str(item.get("id")) == asked:
            sentence = f"the page of messages before {asked} holds that one itself"
            yield broken(sentence, call.n, call.done_n)


def _complete(stroll: Stroll) -> Look:
    got = stroll.shown
    ops = [call.n for call in stroll.walk.calls[:10]]
    due, extra = stroll.expected, _repeated(got)
    if not extra and stroll.agrees(got if stroll.known else got[-len(due) :]):
        return HELD
    what = f"walk {stroll.walk.number} and the snapshot before it"
    if extra:
        return broken(
            f"{what} show {quoted(extra[0])} twice", stroll.snapshot.call.n, *ops
        )
    have, wanted = set(got), set(due)
    missing = [text for text in due if text not in have]
    foreign = [text for text in got if text not in wanted]
    if missing:
        sentence = (
            f"{what} lack {len(missing)} of {len(due)} messages: {short(missing)}"
        )
    elif foreign and stroll.known:
        sentence = f"{what} show {len(foreign)} that are not stored: {short(foreign)}"
    elif stroll.agrees([text for text in got if text in wanted]):
        return HELD
    else:
        sentence = f"{what} show {len(got)} messages out of order"
    return broken(sentence, stroll.snapshot.call.n, *ops)


def _repeated(got: list[Any]) -> list[Any]:
    if len(set(got)) == len(got):
        return []
    return [text for text, count in Counter(got).items() if count > 1]


@rule("history/not-interactive", (Profile.BROADCAST,))
def not_interactive(case: Case) -> Iterator[Look]:
    """ "history pages carry no window ids"."""
    for call in case.calls.by_f[F.HISTORY]:
        items = page_of(call)
        if items:
            marked = next((i for i in items if isinstance(i, dict) and "id" in i), None)
            if marked is None:
                yield HELD
            else:
                sentence = f"a history page carries an id: {quoted(marked)}"
                yield broken(sentence, call.n, call.done_n)


@rule("init/no-database-ids", (Profile.BROADCAST,))
def no_database_ids(case: Case) -> Iterator[Look]:
    """ "no database id leaves the server, on any path"."""
    for where, message, ops in _messages(case):
        extra = _extra(message)
        if extra is None:
            yield HELD
        else:
            sentence = f"{where} carries {quoted(extra[0])}: {quoted(extra[1])}"
            yield broken(sentence, *ops)
    for call in case.calls.by_f[F.HISTORY]:
        for item in page_of(call) or ():
            extra = _extra(_without_id(item))
            if extra is not None:
                sentence = (
                    f"a history page carries {quoted(extra[0])}: {quoted(extra[1])}"
                )
                yield broken(sentence, call.n, call.done_n)
    yield from _anew(case)


def _messages(case: Case) -> Iterator[tuple[str, Any, tuple[int | None, ...]]]:
    """Every distinct message that left the server, and where it was seen."""
    for seen in case.sighted.values():
        for block in seen:
            yield f"{block.kind} event {quoted(block.id)}", block.payload, ()
    for snapshot in case.calls.snapshots:
        call = snapshot.call
        worst = next((m for m in snapshot.messages if _extra(m)), None)
        yield f"the /init answer to {snapshot.who}", worst, (call.n, call.done_n)
    for call in case.calls.writes:
        if call.ok and call.answer is not None and call.answer.body:
            body = read_json(call.answer.body)
            where = f"the answer to a {call.invoke.f}"
            yield where, body, (call.n, call.done_n)


def _without_id(item: Any) -> Any:
    """A page's item less its own id, which is history/not-interactive's business."""
    if not isinstance(item, dict):
        return item
    return {key: value for key, value in item.items() if key != "id"}


def _extra(message: Any) -> tuple[str, Any] | None:
    """A key beyond {id, value} or the value's five that can hold an id."""
    if not isinstance(message, dict):
        return None
    odd = [(k, v) for k, v in message.items() if k not in ("id", "value")]
    odd += [(k, v) for k, v in value_of(message).items() if k not in VALUE_KEYS]
    for key, value in odd:
        if isinstance(value, int | str) and not isinstance(value, bool):
            return key, value
    if "id" in message and type(message["id"]) is not int:
        return "id", message["id"]
    return None


def _anew(case: Case) -> Iterator[Look]:
    """Window ids "start anew with each server life": they are no database ids."""
    for number, model in case.models.items():
        before = case.lives.earlier(number)
        if before is None or case.lives.by_number[number].empty:
            continue
        old = case.models.get(before.number)
        if old is not None and old.evicted:
            yield from _renamed(old, model)


def _renamed(old: LifeModel, model: LifeModel) -> Iterator[Look]:
    """Told from what a life begins with.

    Where deletes made room for all that was pushed out, ids may be as before.
    """
    look = next((one for one in model.looks if one.high == 0), None)
    if look is None or _is_all_back(old, look):
        return
    pairs = []
    for message in look.snapshot.messages:
        nonce = value_of(message).get("nonce")
        known = old.mids.get(nonce) if isinstance(nonce, str) else None
        if known is not None and isinstance(message, dict):
            pairs.append((known, str(message.get("id"))))
    if pairs and all(one == other for one, other in pairs):
        call: Call = look.snapshot.call
        sentence = (
            f"after a restart {len(pairs)} messages kept their window ids, "
            f"such as {pairs[0][0]}, though older messages had left the window"
        )
        yield broken(sentence, call.n, call.done_n)
    elif pairs:
        yield HELD


def _is_all_back(old: LifeModel, look: SnapshotLook) -> bool:
    pushed = {text for _, _, text in old.pushed}
    return pushed <= {text for _, text in look.snapshot.texts}
