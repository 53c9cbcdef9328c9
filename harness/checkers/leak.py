"""The rule of load/no-leak (docs/protocol.md section 4).

"after clients vanish (FIN, RST, black hole) connections, tasks and memory go back".
What counts is what was measured before they came: pools and caches that a first crowd
made grow were there then already. Where clients vanish more than once, a pool that
the first crowd did not fill grows once, and what leaks grows each time. No pool has
connections of clients: they go back each time.
"""

from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from math import inf
from typing import NamedTuple

from harness.checkers.case import Case
from harness.checkers.look import HELD, Look, broken, rule_across, unclear
from harness.core.fault import SWALLOWING, FaultKind
from harness.core.history import F, Invoke, Resources
from harness.core.usage import Moment
from harness.core.verdict import Sighting

MIB = 1 << 20

LEFT_BEHIND = 4
"""One of so many may leave something; one of three ways of vanishing is more."""

POOLED = ("fds", "threads", "tasks")
COUNTS = ("connections", *POOLED)

MILDER = (Sighting.HELD, Sighting.UNCLEAR, Sighting.BROKEN)

LOST = (FaultKind.CUT, *SWALLOWING)


class _Measured(NamedTuple):
    """The measures around one vanishing, how many clients vanished, and by when."""

    warm: Resources
    full: Resources
    left: Sequence[Resources]
    vanished: int
    due_s: float


@rule_across("load/no-leak")
def no_leak(channels: Sequence[Case]) -> Iterator[Look]:
    """What the target holds is everybody's: the first channel tells it all."""
    case = channels[0]
    yield from _written_to_nobody(case)
    times = [found for full in _full(case) if (found := _measured(case, *full))]
    for found in times:
        yield from _was_there(found)
    for found in times:
        yield from _went_back(case, found, "connections")
    for name in POOLED:
        yield from _mildest(_went_back(case, found, name) for found in times)
    yield from _mildest(_memory(case, found) for found in times)


def _mildest(times: Iterable[Iterable[Look]]) -> Iterator[Look]:
    """Held if it held once; a leak is what grew, and for long enough, each time."""
    looks = [look for looks in times for look in looks]
    yield from sorted(looks, key=lambda look: MILDER.index(look.sighting))[:1]


def _full(case: Case) -> Iterator[tuple[Resources, float]]:
    """Each time that all were there, and the record at which that time is over."""
    told = [r for r in case.kinds.of(Resources) if r.moment is Moment.FULL]
    for full, following in pairwise([*told, None]):
        if full is not None:
            yield full, following.n if following else inf


def _measured(case: Case, full: Resources, over: float) -> _Measured | None:
    told = case.kinds.of(Resources)
    warm = [r for r in told if r.moment is Moment.WARM and r.n < full.n]
    left = [r for r in told if r.moment is Moment.LEFT and full.n < r.n < over]
    faults = [
        r
        for r in case.kinds.of(Invoke)
        if r.f is F.FAULT and r.fault and r.fault.kind in LOST and full.n < r.n < over
    ]
    whom = {who for r in faults if r.fault is not None for who in r.fault.whom}
    if (
        not warm
        or not left
        or not whom
        or not case.lives.up(warm[-1].t_s, left[-1].t_s)
    ):
        return None
    due_s = max(r.t_s for r in faults) + case.silence_s + case.settle_s
    due_s += case.tolerances.ping_ms / 1_000
    return _Measured(warm[-1], full, left, len(whom), due_s)


def _was_there(found: _Measured) -> Iterator[Look]:
    """A crowd that no measure shows leaves nothing behind either."""
    grown = [
        now - then
        for name in COUNTS
        if (now := getattr(found.full.usage, name)) is not None
        and (then := getattr(found.warm.usage, name)) is not None
    ]
    if max(grown, default=0) < found.vanished / 2:
        sentence = f"{found.vanished} clients came, and no measure of the target showed"
        yield unclear(sentence, found.warm.n, found.full.n)


def _went_back(case: Case, found: _Measured, name: str) -> Iterator[Look]:
    """The last measure: the scenario stops at one at which all was back."""
    before, last = getattr(found.warm.usage, name), found.left[-1]
    after = getattr(last.usage, name)
    if before is None or after is None:
        return
    if after - before <= found.vanished // LEFT_BEHIND:
        yield HELD
        return
    sentence = (
        f"{found.vanished} clients vanished, and the target keeps {after} {name}, "
        f"{after - before} more than before they came"
    )
    yield from _if_due(case, found, sentence, last.n)


def _memory(case: Case, found: _Measured) -> Iterator[Look]:
    before = found.warm.usage.rss_bytes
    after = [r.usage.rss_bytes for r in found.left if r.usage.rss_bytes is not None]
    if before is None or not after:
        return
    grown, allowed = (after[-1] - before) / MIB, case.header.load.memory_mb
    if grown <= allowed:
        yield HELD
        return
    sentence = (
        f"{found.vanished} clients vanished, and the target's memory is "
        f"{grown:.1f} MiB larger than before they came; {allowed} are declared"
    )
    yield from _if_due(case, found, sentence, found.left[-1].n)


def _written_to_nobody(case: Case) -> Iterator[Look]:
    """Events after the clients have vanished: who is gone gets a copy of none."""
    told = case.kinds.of(Resources)
    filled = next((r for r in told if r.moment is Moment.FILLED), None)
    if filled is None or told[-1] is filled:
        return
    before, after = filled.usage, told[-1].usage
    if before.rss_bytes is not None and after.rss_bytes is not None:
        grown = (after.rss_bytes - before.rss_bytes) / MIB
        sentence = (
            "after clients had vanished and the caches were full, events made the "
            f"target {grown:.1f} MiB larger; {case.header.load.memory_mb} are declared"
        )
        kept = grown > case.header.load.memory_mb
        yield broken(sentence, filled.n, told[-1].n) if kept else HELD
    if before.objects is not None and after.objects is not None:
        span = filled.t_s, told[-1].t_s
        writes = [c for c in case.calls.writes if span[0] <= c.invoke.t_s <= span[1]]
        more = after.objects - before.objects
        sentence = (
            f"after clients had vanished and the caches were full, {len(writes)} "
            f"events left {more} objects more in the target"
        )
        kept = more > len(writes) / 2
        yield broken(sentence, filled.n, told[-1].n) if kept else HELD


def _if_due(case: Case, found: _Measured, sentence: str, n: int) -> Iterator[Look]:
    """Broken once it had the time that it may take, and the harness was not late."""
    last_s = found.left[-1].t_s
    if last_s < found.due_s + case.slack_s(found.full.t_s, last_s):
        yield unclear(f"{sentence}; it was not waited long enough", found.warm.n, n)
    else:
        yield broken(sentence, found.warm.n, n)
