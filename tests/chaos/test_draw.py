"""Drawing: meaningful, repeatable, never thrown away, and it shrinks."""

from collections.abc import Callable
from typing import get_args

import pytest
from hypothesis import Phase, given, seed, settings
from hypothesis import strategies as st

from harness.bad_input import kinds_of
from harness.chaos.draw import schedules
from harness.chaos.profiles import WITHOUT
from harness.chaos.weights import USERS
from harness.core.fault import FaultKind
from harness.core.profile import PERSONAL, Profile
from harness.core.schedule import Schedule, encode_case, every_step, parse_case
from harness.core.steps import Away, Bad, During, Pause, Probe, Restart, Step
from harness.core.target import Capability

DRAWN = 300


class Planted(Exception):
    """What a case to be shrunk does wrong."""


def draw(
    number: int, strategy: st.SearchStrategy[Schedule], *, phases: tuple[Phase, ...]
) -> Callable[[Callable[[Schedule], None]], None]:
    """Run a function on what a fixed seed draws; every health check stays on."""

    def run(function: Callable[[Schedule], None]) -> None:
        test = given(strategy)(function)
        test = settings(
            max_examples=DRAWN, database=None, phases=phases, deadline=None
        )(test)
        seed(number)(test)()

    return run


def drawn(number: int, strategy: st.SearchStrategy[Schedule]) -> list[Schedule]:
    found: list[Schedule] = []

    def keep(case: Schedule) -> None:
        found.append(case)

    draw(number, strategy, phases=(Phase.generate,))(keep)
    return found


def test_nothing_is_thrown_away_and_every_draw_is_a_case() -> None:
    found = drawn(1, schedules())
    assert len(found) == DRAWN
    for case in found:
        assert parse_case(encode_case(case)) == case
        assert len(case.steps) <= 12
    assert sum(len(case.steps) for case in found) / DRAWN > 3


@pytest.mark.parametrize("profile", Profile)
def test_nothing_is_drawn_that_the_profile_does_not_have(profile: Profile) -> None:
    found = drawn(7, schedules(profiles=[profile]))
    steps = [step for case in found for step in walk(case)]
    absent = WITHOUT[profile]
    assert {case.profile for case in found} == {profile}
    assert not {step.__struct_config__.tag for step in steps} & absent.steps
    assert not {s.cursor for s in steps if isinstance(s, Probe)} & absent.cursors
    bad = {(step.kind, step.support) for step in steps if isinstance(step, Bad)}
    assert bad <= set(kinds_of(profile))
    users = {tab.user for case in found for tab in case.clients}
    assert users == (set(USERS) if profile in PERSONAL else {"user"})


def test_every_profile_is_drawn() -> None:
    cases = drawn(8, schedules(profiles=list(Profile)))
    assert {case.profile for case in cases} == set(Profile)


def test_a_seed_draws_the_same_again() -> None:
    once, again = drawn(2, schedules()), drawn(2, schedules())
    assert [encode_case(one) for one in once] == [encode_case(one) for one in again]
    assert once != drawn(3, schedules())


def test_every_kind_of_step_is_drawn() -> None:
    steps = [step for n in range(3) for c in drawn(n, schedules()) for step in walk(c)]
    assert {type(step) for step in steps} == set(get_args(Step))
    faults = {step.fault for step in steps if isinstance(step, During)}
    assert faults >= {FaultKind.STALL, FaultKind.BLACK_HOLE, FaultKind.PARTITION}


def walk(case: Schedule) -> list[Step]:
    return list(every_step(case.steps))


def test_faults_lie_at_the_edge_of_the_log() -> None:
    near = [
        abs(step.missed - case.limits.event_log_limit)
        for case in drawn(4, schedules())
        for step in walk(case)
        if isinstance(step, Away)
    ]
    assert sum(1 for distance in near if distance <= 1) > len(near) / 2


def test_nothing_is_asked_that_the_target_does_not_offer() -> None:
    bare = schedules(capabilities=frozenset())
    for case in drawn(5, bare):
        for step in walk(case):
            assert not isinstance(step, Restart | Pause)
            assert not (isinstance(step, During) and step.fault == "slow-close")
    some = schedules(capabilities=frozenset({Capability.RESTART}))
    restarts = [s for c in drawn(5, some) for s in walk(c) if isinstance(s, Restart)]
    assert restarts
    assert not any(step.other_port for step in restarts)


def smallest(
    strategy: st.SearchStrategy[Schedule], is_bad: Callable[[Schedule], bool]
) -> Schedule:
    """What a failing case shrinks to."""
    failing: list[Schedule] = []

    def check(case: Schedule) -> None:
        if is_bad(case):
            failing.append(case)
            raise Planted

    with pytest.raises(Planted):
        draw(6, strategy, phases=(Phase.generate, Phase.shrink))(check)
    return failing[-1]


def test_a_case_shrinks_to_what_matters() -> None:
    def is_bad(case: Schedule) -> bool:
        return any(
            isinstance(step, Probe) and step.cursor == "evicted" for step in walk(case)
        )

    case = smallest(schedules(), is_bad)
    assert len(walk(case)) == 1
    assert len(case.clients) == 1
    assert case.steps[0] == Probe(cursor=case.steps[0].cursor)  # type: ignore[union-attr]
    assert (case.limits.message_limit, case.limits.event_log_limit) == (2, 2)


def test_a_block_shrinks_away_from_around_what_matters() -> None:
    def is_bad(case: Schedule) -> bool:
        steps = walk(case)
        return any(isinstance(step, Restart) and step.how == "kill" for step in steps)

    assert len(walk(smallest(schedules(), is_bad))) == 1
