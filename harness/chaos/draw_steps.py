"""Hypothesis strategies of the steps and tabs of a schedule.

Plain draws from the tables of `harness.chaos.weights`, the simplest entry first, so
that hypothesis shrinks towards few steps, small numbers and no faults. A step may
speak of anybody in the case; the player makes sense of it.
"""

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any, NamedTuple, TypeVar

from hypothesis import strategies as st

from harness.bad_input import kinds_of
from harness.chaos import weights
from harness.chaos.profiles import WITHOUT, without
from harness.core.fault import Aim, Close, FaultKind
from harness.core.profile import PERSONAL, USER, Profile
from harness.core.steps import (
    Away,
    Bad,
    BadKind,
    Begins,
    Burst,
    CursorKind,
    Cut,
    CutAt,
    CutNext,
    Delete,
    During,
    LoadSnapshot,
    Open,
    PageBack,
    Pause,
    Ping,
    Place,
    Probe,
    Restart,
    Step,
    Switch,
    Tab,
    TextKind,
    Update,
    Wait,
    Whose,
    Write,
)
from harness.core.target import Capability

T = TypeVar("T")
NAMES = ("alice", "bob", "carol", "dave", "erin")
_BLOCKS = ("burst", "away", "during", "slow-replay", "late-change")


class Scene(NamedTuple):
    """What a step is drawn for: the tabs there at first, the limits, how deep."""

    profile: Profile
    tabs: int
    message_limit: int
    log_limit: int
    capabilities: frozenset[Capability]
    depth: int


def weighted(table: Mapping[T, int]) -> st.SearchStrategy[T]:
    """One key of a table, as often as its number says."""
    return st.sampled_from([key for key, times in table.items() for _ in range(times)])


def one_of(values: tuple[T, ...]) -> st.SearchStrategy[T]:
    return st.sampled_from(values)


def _ranges(table: tuple[tuple[int, int], ...]) -> st.SearchStrategy[int]:
    return st.one_of([st.integers(low, high) for low, high in table])


_BOOLEANS = st.booleans()
_CLOSES = st.sampled_from(Close)
_BEGINS = st.sampled_from(Begins)
_PLACES = st.sampled_from(Place)
_VARIANTS = st.integers(0, 25)
_USERS = one_of(weights.USERS)
_SILENT = st.integers(0, weights.SILENT - 1)
_EDGE = st.integers(0, 3)
_MISSED, _FEW = one_of(weights.MISSED), one_of(weights.FEW)
_COUNTS, _LETTERS = one_of(weights.COUNTS), one_of(weights.LETTERS)
_BURSTS, _WRITERS = one_of(weights.BURSTS), one_of(weights.WRITERS)
_WAITS, _PAUSES = one_of(weights.WAITS_MS), one_of(weights.PAUSES_MS)
_DOWN, _AFTER = one_of(weights.DOWN_MS), one_of(weights.AFTER_MS)
_WIRE, _NEXT = _ranges(weights.WIRE_BYTES), _ranges(weights.NEXT_BYTES)
_REPLAY_LINE = one_of(weights.REPLAY_KILOBYTES)
_REPLAY_WAITS = one_of(weights.REPLAY_WAITS_MS)
_HOWS: st.SearchStrategy[Any] = st.sampled_from(("term", "kill", "kill"))
_TEXTS: st.SearchStrategy[TextKind] = weighted(weights.TEXTS)
_PINGED: st.SearchStrategy[Whose] = weighted(weights.PINGED)
_AIMS: st.SearchStrategy[Aim] = weighted(weights.AIMS)
_AMOUNTS = {kind: one_of(values) for kind, values in weights.AMOUNTS.items()}


def draw_tab(draw: st.DrawFn, scene: Scene, name: str) -> Tab:
    return Tab(
        name=name,
        begins=draw(_BEGINS),
        close=draw(_CLOSES),
        pings=draw(_SILENT) != weights.SILENT - 1,
        user=_user(draw, scene),
    )


def _user(draw: st.DrawFn, scene: Scene) -> str:
    return draw(_USERS) if scene.profile in PERSONAL else USER


@lru_cache(maxsize=4_096)
def steps(scene: Scene, most: int) -> st.SearchStrategy[list[Step]]:
    return st.lists(_step(scene), max_size=most)


@lru_cache(maxsize=1_024)
def _step(scene: Scene) -> st.SearchStrategy[Step]:
    return _drawn_step(scene, weighted(_kinds(scene, weights.STEPS)))


def _kinds(scene: Scene, table: Mapping[str, int]) -> dict[str, int]:
    """The steps that there can be here: blocks only so deep."""
    out = set(WITHOUT[scene.profile].steps)
    if scene.depth == 0:
        out.update(_BLOCKS)
    if Capability.RESTART not in scene.capabilities:
        out.add("restart")
    if Capability.FREEZE not in scene.capabilities:
        out.add("pause")
    return without(table, out)


@st.composite
def _drawn_step(draw: st.DrawFn, scene: Scene, kinds: st.SearchStrategy[str]) -> Step:
    return _DRAWS[draw(kinds)](draw, scene)


@lru_cache(maxsize=64)
def _who(tabs: int) -> st.SearchStrategy[str]:
    return st.sampled_from(NAMES[:tabs])


@lru_cache(maxsize=64)
def _author(tabs: int) -> st.SearchStrategy[str]:
    return st.sampled_from(("", "", *NAMES[:tabs]))


@lru_cache(maxsize=64)
def _whom(tabs: int) -> st.SearchStrategy[tuple[str, ...]]:
    """One, or sometimes the first few at once."""
    names = NAMES[:tabs]
    many = [names[:count] for count in range(2, tabs + 1)]
    return st.sampled_from([*[(name,) for name in names] * 2, *many])


@lru_cache(maxsize=64)
def _back(message_limit: int) -> st.SearchStrategy[int]:
    """Near the newest, and around the edge of the window."""
    edge = (message_limit - 1, message_limit, message_limit + 1)
    return st.sampled_from((0, 0, 1, *edge, message_limit))


def _missed(draw: st.DrawFn, scene: Scene) -> int:
    if draw(_EDGE) < weights.AT_THE_EDGE:
        return scene.log_limit + draw(_MISSED)
    return draw(_FEW)


def _inner(draw: st.DrawFn, scene: Scene) -> tuple[Step, ...]:
    deeper = scene._replace(depth=scene.depth - 1)
    return tuple(draw(steps(deeper, weights.INNER_STEPS)))


def _write(draw: st.DrawFn, scene: Scene) -> Step:
    by = draw(_author(scene.tabs))
    count, letters = draw(_COUNTS), draw(_LETTERS)
    return Write(by=by, count=count, letters=letters, text=draw(_TEXTS))


def _update(draw: st.DrawFn, scene: Scene) -> Step:
    back = draw(_back(scene.message_limit))
    return Update(back=back, by=draw(_author(scene.tabs)))


def _delete(draw: st.DrawFn, scene: Scene) -> Step:
    back = draw(_back(scene.message_limit))
    by, twice = draw(_author(scene.tabs)), draw(_EDGE) == 3
    return Delete(back=back, by=by, twice=twice)


def _two_changes(draw: st.DrawFn, scene: Scene) -> tuple[Step, ...]:
    """Of one message, perhaps with something between them."""
    back = draw(_back(scene.message_limit))
    kinds = [Delete if draw(_BOOLEANS) else Update for _ in range(2)]
    first, last = (kind(back=back) for kind in kinds)
    return first, *(_inner(draw, scene)[:1] if draw(_BOOLEANS) else ()), last


def _cut(draw: st.DrawFn, scene: Scene) -> Step:
    whom = draw(_whom(scene.tabs))
    return Cut(whom=whom, after_bytes=draw(_WIRE) if draw(_BOOLEANS) else 0)


def _cut_at(draw: st.DrawFn, scene: Scene) -> Step:
    return CutAt(who=draw(_who(scene.tabs)), aim=draw(_AIMS))


def _cut_next(draw: st.DrawFn, scene: Scene) -> Step:
    return CutNext(
        who=draw(_who(scene.tabs)),
        after_bytes=draw(_NEXT),
        missed=_missed(draw, scene),
        hangs=draw(_EDGE) == 3,
    )


def _restart(draw: st.DrawFn, scene: Scene) -> Step:
    how, after_ms = draw(_HOWS), draw(_AFTER)
    elsewhere = draw(_EDGE) == 3 and Capability.OTHER_PORT in scene.capabilities
    down_ms = 0 if elsewhere else draw(_DOWN)
    return Restart(how=how, after_ms=after_ms, other_port=elsewhere, down_ms=down_ms)


@lru_cache(maxsize=8)
def _in_bursts(restarts: bool) -> st.SearchStrategy[str]:
    return weighted(without(weights.IN_BURSTS, () if restarts else ("restart",)))


def _burst(draw: st.DrawFn, scene: Scene) -> Step:
    count, writers = draw(_BURSTS), draw(_WRITERS)
    kind = draw(_in_bursts(Capability.RESTART in scene.capabilities))
    surely = (_DRAWS[kind](draw, scene),) if kind else ()
    steps = (*surely, *_inner(draw, scene))
    return Burst(count=count, writers=writers, steps=steps)


def _away(draw: st.DrawFn, scene: Scene) -> Step:
    whom, missed = draw(_whom(scene.tabs)), _missed(draw, scene)
    if not draw(_BOOLEANS):
        return Away(whom=whom, missed=missed)
    if draw(_EDGE) == 3 and "update" not in WITHOUT[scene.profile].steps:
        return Away(whom=whom, missed=draw(_FEW), steps=_two_changes(draw, scene))
    return Away(whom=whom, missed=missed, steps=_inner(draw, scene))


@lru_cache(maxsize=8)
def _faults(restarts: bool) -> st.SearchStrategy[FaultKind]:
    return weighted(
        without(weights.FAULTS, () if restarts else (FaultKind.SLOW_CLOSE,))
    )


def _during(draw: st.DrawFn, scene: Scene) -> Step:
    kind = draw(_faults(Capability.RESTART in scene.capabilities))
    whom = draw(_whom(scene.tabs))
    amount = draw(_AMOUNTS[kind]) if kind in _AMOUNTS else 0
    return During(fault=kind, whom=whom, amount=amount, steps=_inner(draw, scene))


def _slow_replay(draw: st.DrawFn, scene: Scene) -> Step:
    """A client comes back on a narrow line, and something happens meanwhile."""
    who = draw(_who(scene.tabs))
    missed = Away(
        whom=(who,),
        missed=max(1, scene.log_limit - draw(_FEW)),
        letters=weights.REPLAY_LETTERS,
    )
    kinds = weighted(_kinds(scene._replace(depth=1), weights.REPLAY_STEPS))
    event = _DRAWS[draw(kinds)](draw, scene._replace(depth=1))
    return During(
        fault=FaultKind.BANDWIDTH,
        whom=(who,),
        amount=draw(_REPLAY_LINE),
        steps=(missed, Wait(ms=draw(_REPLAY_WAITS)), event),
    )


def _late_change(draw: st.DrawFn, scene: Scene) -> Step:
    """A record forgets that a message was made; then somebody misses its change."""
    change = Update(back=0, by=draw(_author(scene.tabs)))
    missed = Away(
        whom=(draw(_who(scene.tabs)),),
        missed=0,
        steps=(change, Wait(ms=weights.SWEPT_MS)),
    )
    return Burst(count=1, writers=1, steps=(Wait(ms=weights.LATE_MS), missed))


@lru_cache(maxsize=4)
def _cursors(profile: Profile) -> st.SearchStrategy[CursorKind]:
    return weighted(without(weights.CURSORS, WITHOUT[profile].cursors))


def _probe(draw: st.DrawFn, scene: Scene) -> Step:
    cursor, place = draw(_cursors(scene.profile)), draw(_PLACES)
    variant, user = draw(_VARIANTS), _user(draw, scene)
    return Probe(cursor=cursor, place=place, variant=variant, user=user)


@lru_cache(maxsize=4)
def _bad_kinds(profile: Profile) -> st.SearchStrategy[tuple[BadKind, bool]]:
    return st.sampled_from(kinds_of(profile))


def _bad(draw: st.DrawFn, scene: Scene) -> Step:
    kind, support = draw(_bad_kinds(scene.profile))
    return Bad(kind=kind, support=support)


def _ping(draw: st.DrawFn, scene: Scene) -> Step:
    whose, twice = draw(_PINGED), draw(_EDGE) == 3
    return Ping(whose=whose, user=_user(draw, scene), twice=twice)


def _open(draw: st.DrawFn, scene: Scene) -> Step:
    name = NAMES[scene.tabs + draw(_BOOLEANS)]
    return Open(tab=draw_tab(draw, scene, name))


_DRAWS: dict[str, Callable[[st.DrawFn, Scene], Step]] = {
    "write": _write,
    "update": _update,
    "delete": _delete,
    "cut": _cut,
    "cut-at": _cut_at,
    "cut-next": _cut_next,
    "switch": lambda draw, scene: Switch(who=draw(_who(scene.tabs))),
    "open": _open,
    "page-back": lambda draw, scene: PageBack(),  # noqa: ARG005  # a row of the table
    "snapshot": lambda draw, scene: LoadSnapshot(),  # noqa: ARG005  # as above
    "probe": _probe,
    "bad-input": _bad,
    "ping": _ping,
    "wait": lambda draw, scene: Wait(ms=draw(_WAITS)),  # noqa: ARG005  # as above
    "pause": lambda draw, scene: Pause(ms=draw(_PAUSES)),  # noqa: ARG005  # as above
    "restart": _restart,
    "burst": _burst,
    "away": _away,
    "during": _during,
    "slow-replay": _slow_replay,
    "late-change": _late_change,
}
