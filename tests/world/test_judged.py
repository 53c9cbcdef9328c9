"""What becomes of a case beside its verdict: its turn, and how often it is tried."""

import threading
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import msgspec
import pytest

from harness.case import CASE_S, NIGHTLY_CASE_S
from harness.commands.engine import NIGHTLY, Listener, engine, option
from harness.core.history import End
from harness.core.target import Limits, Target, load_target
from harness.judged import LATE_S, LOCK, TRIES, Asked, Session, late_s
from harness.options import Settings, find_target
from harness.plugin import _request
from harness.turn import turn
from reports.result import CaseResult, Outcome
from tests.checkers.story import Story, change
from tests.world.test_case import target

Told = tuple[Outcome, float]
UNKNOWN, PASSED, FAILED = Outcome.COULD_NOT_RUN, Outcome.PASSED, Outcome.FAILED


class Scripted(Session):
    """Its cases end as told, one after the other."""

    def __init__(self, folder: Path, told: list[Told]) -> None:
        super().__init__(settings(folder, target()))
        self.told: Iterator[Told] = iter(told)

    def _run_and_judge(self, asked: Asked) -> tuple[CaseResult, float]:
        outcome, late_s = next(self.told)
        return CaseResult(scenario=asked.name, outcome=outcome), late_s


def settings(folder: Path, of: Target) -> Settings:
    return Settings(
        target=of,
        path=folder / "target.toml",
        profiles=("broadcast",),
        arm="live",
        out=folder,
        seed=0,
    )


ASKED = Asked(
    name="test_x.py::test_x",
    function=print,
    arguments={},
    requirements=("converge",),
    arms=("live",),
    profile="broadcast",
    mutant=None,
    within_s=1.0,
    alone=False,
)


@pytest.mark.parametrize(
    ("told", "outcome", "tries"),
    [
        ([(PASSED, 9.0)], PASSED, 1),
        ([(UNKNOWN, 0.0)], UNKNOWN, 1),
        ([(FAILED, 9.0)], FAILED, 1),
        ([(UNKNOWN, LATE_S), (PASSED, 0.0)], PASSED, 2),
        ([(UNKNOWN, LATE_S), (FAILED, 9.0)], FAILED, 2),
        ([(UNKNOWN, 1.0), (UNKNOWN, 0.1)], UNKNOWN, 2),
        ([(UNKNOWN, 1.0)] * TRIES, UNKNOWN, TRIES),
    ],
)
def test_only_what_proved_nothing_while_we_were_late_is_tried_again(
    tmp_path: Path, told: list[Told], outcome: Outcome, tries: int
) -> None:
    session = Scripted(tmp_path, told)
    result = session.run(ASKED)
    assert (result.outcome, result.tries) == (outcome, tries)
    assert next(session.told, None) is None


def test_who_wants_to_be_alone_waits_and_is_waited_for(tmp_path: Path) -> None:
    session = Scripted(tmp_path, [(PASSED, 0.0)])
    alone = msgspec.structs.replace(ASKED, alone=True)
    with ExitStack() as others:
        others.enter_context(turn(tmp_path / LOCK, alone=False))
        others.enter_context(turn(tmp_path / LOCK, alone=False))
        running = threading.Thread(target=session.run, args=(alone,))
        running.start()
        running.join(0.2)
        assert running.is_alive()
    running.join(10)
    assert not running.is_alive()
    assert next(session.told, None) is None


def test_nobody_has_a_turn_beside_who_is_alone(tmp_path: Path) -> None:
    session = Scripted(tmp_path, [(PASSED, 0.0)])
    with turn(tmp_path / LOCK, alone=True):
        running = threading.Thread(target=session.run, args=(ASKED,))
        running.start()
        running.join(0.2)
        assert running.is_alive()
    running.join(10)
    assert next(session.told, None) is None


def test_how_late_the_harness_was_counts_in_whole_cases_only() -> None:
    it = Story()
    it.begin()
    it.lag(0.3)
    it.lag(0.1)
    assert late_s(it.history()) == 0.0
    assert late_s(it.end().history()) == pytest.approx(0.4)
    broken = change(
        End, lambda _: True, complete=False, reason="the harness broke down"
    )
    assert late_s(it.history(broken)) == 0.0


def test_what_is_nightly_has_more_time_and_crowds_are_alone() -> None:
    names = ("herd_of_500", "quiet_minute_behind_nginx", "first_frame_and_headers")
    arguments = ["--collect-only", NIGHTLY, option("profile", "broadcast")]
    listener = Listener()
    engine(listener, arguments, keyword=" or ".join(names), jobs=1, apart=False)
    herd, minute, first = (
        next(item for item in listener.collected if name in item.name) for name in names
    )
    assert [_request(one).alone for one in (herd, minute, first)] == [True, 0, 0]
    bounds = [_request(one).within_s for one in (herd, minute, first)]
    assert bounds == [NIGHTLY_CASE_S, NIGHTLY_CASE_S, CASE_S]
    for item in listener.collected:
        marker = item.get_closest_marker("timeout")
        assert marker is not None
        assert marker.args == (0,)


def test_a_scenario_may_have_limits_of_its_own(tmp_path: Path) -> None:
    listener = Listener()
    arguments = ["--collect-only", NIGHTLY, option("profile", "broadcast")]
    engine(listener, arguments, keyword="thousand", jobs=1, apart=False)
    asked = _request(next(iter(listener.collected)))
    assert asked.limits == {"ping_interval_ms": 5_000, "ping_grace_ms": 5_000}
    reference = load_target(find_target("reference"))
    limits = limits_of(Session(settings(tmp_path, reference)), asked)
    declared = reference.profiles["broadcast"].limits
    assert (limits.ping_interval_ms, declared.ping_interval_ms) == (5_000, 1_000)
    assert limits.keepalive_ms == declared.keepalive_ms
    bare = msgspec.structs.replace(asked, limits={})
    assert limits_of(Session(settings(tmp_path, reference)), bare) == declared


def limits_of(session: Session, asked: Asked) -> Limits:
    return session._case(asked).profiled.limits
