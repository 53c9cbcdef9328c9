"""Hypothesis strategies of schedules: every draw is one, none is thrown away."""

from collections.abc import Sequence

import msgspec
from hypothesis import strategies as st

from harness.chaos import weights
from harness.chaos.draw_steps import NAMES, Scene, draw_tab, one_of, steps
from harness.core.profile import Profile
from harness.core.schedule import CaseLimits, Schedule
from harness.core.steps import Away, Burst, During, Open, Step
from harness.core.target import Capability

EVERYTHING = frozenset(Capability)
_SEEDS = st.integers(0, 2**32 - 1)
_LIMITS, _TABS = one_of(weights.LIMITS), one_of(weights.TABS)
_RETENTIONS = one_of(weights.RETENTIONS_MS)

NEVER_DRAWN = (
    *("init/from-cache", "write/before-broadcast"),  # faults of the storage
    "stream/survives-idle-proxy",  # a middlebox
    "load/*",  # crowds
    "history/page-size",  # more messages than a case writes
    "private/uid-required",  # calls without a uid
    "write/rate-limit",  # own writes are paced
)
"""Requirements that no random schedule can exercise, for what it takes is not drawn."""


def schedules(
    *,
    target: str = "reference",
    profiles: Sequence[str] = (Profile.BROADCAST,),
    mutant: str = "",
    capabilities: frozenset[Capability] = EVERYTHING,
) -> st.SearchStrategy[Schedule]:
    """Whole cases for a target; nothing in them asks for more than it declares.

    Each is of one of the profiles, the first of which counts as the simplest.
    """
    return _schedule(target, tuple(map(Profile, profiles)), mutant, capabilities)


@st.composite
def _schedule(
    draw: st.DrawFn,
    target: str,
    profiles: tuple[Profile, ...],
    mutant: str,
    capabilities: frozenset[Capability],
) -> Schedule:
    profile, tabs = draw(one_of(profiles)), draw(_TABS)
    message_limit, log_limit = draw(_LIMITS), draw(_LIMITS)
    scene = Scene(profile, tabs, message_limit, log_limit, capabilities, weights.DEPTH)
    return Schedule(
        target=target,
        profile=profile,
        mutant=mutant,
        limits=CaseLimits(
            message_limit=message_limit,
            event_log_limit=log_limit,
            retention_ms=draw(_RETENTIONS) if profile is Profile.PRIVATE else None,
        ),
        clients=tuple(draw_tab(draw, scene, name) for name in NAMES[:tabs]),
        steps=_opened_once(_top(draw, scene), []),
        seed=draw(_SEEDS),
    )


def _top(draw: st.DrawFn, scene: Scene) -> tuple[Step, ...]:
    """Lists behind one another: hypothesis likes a single list to be very short."""
    runs = [draw(steps(scene, weights.RUN)) for _ in range(weights.RUNS)]
    return tuple(step for run in runs for step in run)


def _opened_once(steps: tuple[Step, ...], seen: list[str]) -> tuple[Step, ...]:
    """Tabs are drawn from few names; a second of a name is not opened again."""
    kept: list[Step] = []
    for step in steps:
        if isinstance(step, Open):
            if step.tab.name in seen:
                continue
            seen.append(step.tab.name)
        if isinstance(step, Burst | Away | During) and step.steps:
            within = _opened_once(step.steps, seen)
            kept.append(msgspec.structs.replace(step, steps=within))
        else:
            kept.append(step)
    return tuple(kept)
