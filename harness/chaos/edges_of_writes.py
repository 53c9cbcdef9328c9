"""Edges of writes: the window's end, and what an end of the server did to them."""

from collections.abc import Callable, Iterator
from itertools import pairwise

from harness.checkers.calls import Call, Snapshot
from harness.checkers.case import Case
from harness.checkers.lives import LifeSpan
from harness.core.history import F

LARGE = 4_000
_REFUSED = {F.UPDATE: "write/evicted-update", F.DELETE: "write/evicted-delete"}


def _window(case: Case) -> Iterator[str]:
    for model in case.models.values():
        if model.pushed:
            yield "write/window-slides"


def _refusals(case: Case) -> Iterator[str]:
    for call in case.calls.writes:
        model = case.models.get(call.life) if call.life is not None else None
        if model is None or call.status != 404 or call.invoke.f is F.CREATE:
            continue
        about = call.invoke.about
        if any(mid == about for _, mid, _ in model.pushed):
            yield _REFUSED[call.invoke.f]
        elif about in model.gone:
            yield "write/deleted-again"


def _last_interactive(case: Case) -> Iterator[str]:
    if not case.limits.message_limit:
        return
    for life, model in case.models.items():
        window = _first_window(case, life)
        for entry in model.order.entries:
            mid, full = entry.block.message_id, len(window) == case.limits.message_limit
            if entry.block.kind == "create":
                window = [*window, mid][-case.limits.message_limit :]
            elif full and window[0] == mid:
                yield "write/last-interactive"
            if entry.block.kind == "delete" and mid in window:
                window.remove(mid)


def _first_window(case: Case, life: int) -> list[str]:
    """The ids that a life began with; none when its first snapshot came too late."""
    looks = [look for look in case.models[life].looks if look.high == 0]
    shown = looks[0].snapshot.messages if looks else []
    return [str(m.get("id")) for m in shown if isinstance(m, dict)]


def _together(case: Case) -> Iterator[str]:
    calls = sorted(case.calls.writes, key=lambda call: call.invoke.t_s)
    for one, other in pairwise(calls):
        if not one.failed and not other.failed and one.done_s > other.invoke.t_s:
            yield "write/concurrent"


def _bodies(case: Case) -> Iterator[str]:
    for call in case.calls.writes:
        if call.ok and len(call.invoke.text) > LARGE:
            yield "write/large"
    for call in case.calls.by_f[F.BAD_INPUT]:
        if call.failed:
            yield "write/bad-input"


def _lives(case: Case) -> Iterator[str]:
    spans = case.lives.spans
    for span, after in pairwise(spans):
        if len(case.order_in(span.number).entries) >= case.limits.event_log_limit:
            yield "restart/log-full"
        first = _first_snapshot(case, after.number)
        if first is not None and len(first.messages) >= case.limits.message_limit:
            yield "restart/window-full"
        cut_off = [call for call in case.calls.writes if _is_cut_off(call, span)]
        if len(cut_off) > 1:
            yield "restart/in-burst"
        for call in cut_off:
            yield from _fate(case, call, after)


def _first_snapshot(case: Case, life: int) -> Snapshot | None:
    found = case.snapshots_in(life)
    return found[0] if found else None


def _is_cut_off(call: Call, span: LifeSpan) -> bool:
    """Whether the server ended after the request was sent, before an answer came."""
    begun = call.invoke.t_s <= span.going_s <= call.done_s
    return begun and not call.ok and not call.failed


def _fate(case: Case, call: Call, after: LifeSpan) -> Iterator[str]:
    """What became of a create that an end of the server cut off."""
    looks = case.snapshots_in(after.number)
    if call.invoke.f is not F.CREATE:
        return
    told = call in case.told
    shown = any(call.invoke.text in _texts(snapshot) for snapshot in looks)
    if told or shown:
        yield "restart/write-kept"
        if not told:
            yield "restart/committed-unsent"
    elif looks:
        yield "restart/write-lost"


def _texts(snapshot: Snapshot) -> list[object]:
    return [text for _, text in snapshot.texts]


FAMILY: tuple[Callable[[Case], Iterator[str]], ...] = (
    _window,
    _refusals,
    _last_interactive,
    _together,
    _bodies,
    _lives,
)
