"""Playing: every step of every kind, on the clean server, ends passed."""

import json
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import Phase, given, seed, settings

from harness.case import Arm, Case, run_case
from harness.chaos.cast import Cast
from harness.chaos.draw import schedules
from harness.chaos.known import Known
from harness.chaos.play import play
from harness.checkers import judge
from harness.core.codec import load
from harness.core.fault import Aim, FaultKind
from harness.core.history import F, Frame, History, Invoke, Life, Opened
from harness.core.profile import Profile
from harness.core.schedule import CaseLimits, Schedule, narrowed
from harness.core.steps import (
    Away,
    Bad,
    BadKind,
    Burst,
    CursorKind,
    Cut,
    CutAt,
    CutNext,
    Delete,
    During,
    Open,
    Ping,
    Probe,
    Restart,
    Step,
    Switch,
    Tab,
    Wait,
    Whose,
    Write,
)
from harness.core.target import load_target
from harness.core.verdict import Verdict
from harness.live.arm import LiveArm
from harness.live.toxiproxy_binary import find_or_build
from harness.options import find_target
from harness.sim.arm import SimArm
from harness.world import World
from tests.chaos.samples import FAULTS, STEPS, schedule


def run(case: Schedule, folder: Path, *, arm: Arm | None = None) -> History:
    """Play a schedule, on the sim arm unless told otherwise; its history."""
    arm = arm or SimArm()
    folder.mkdir(exist_ok=True)
    path = folder / "history.jsonl"

    async def scenario(world: World) -> None:
        await play(world, case)

    target = narrowed(load_target(find_target(case.target)), case)
    ran = Case(
        scenario="chaos",
        title="A random case.",
        requirements=(),
        target=target,
        profile=case.profile,
        arm=arm.name,
        seed=case.seed,
    )
    arm.run(run_case(ran, scenario, arm=arm, path=path, folder=folder))
    return load(path)


def wrong(history: History) -> list[str]:
    """What keeps a case from being passed."""
    judged = judge(history)
    failed = [j for j in judged.judgements if j.verdict is Verdict.FAIL]
    told = [f"{j.requirement}: {f.sentence}" for j in failed for f in j.findings]
    return told + list(judged.could_not_run)


@pytest.mark.parametrize("profile", Profile)
@pytest.mark.parametrize("step", STEPS, ids=repr)
def test_every_step_by_itself(tmp_path: Path, step: Step, profile: Profile) -> None:
    """Also one that makes no sense in the profile, as a case by hand may have it."""
    history = run(schedule(step, profile=profile), tmp_path)
    assert wrong(history) == []


@pytest.mark.parametrize("block", FAULTS, ids=lambda step: str(step.fault))
@pytest.mark.parametrize(
    "inner",
    [
        (Write(), Switch(who="alice")),
        (Cut(whom=("alice",)), Write(by="alice")),
        (Restart(how="kill", after_ms=2), Wait(ms=50)),
        (Away(whom=("alice",), missed=3),),
        (CutNext(who="alice", after_bytes=300, missed=1),),
        (Burst(count=6, steps=(CutAt(who="alice", aim=Aim.ID_LINE),)),),
    ],
    ids=lambda steps: type(steps[0]).__name__,
)
def test_steps_under_a_lasting_fault(
    tmp_path: Path, block: During, inner: tuple[Step, ...]
) -> None:
    under = During(fault=block.fault, whom=("alice",), amount=block.amount, steps=inner)
    assert wrong(run(schedule(under, clients=(Tab(name="alice"),)), tmp_path)) == []


@pytest.mark.parametrize("number", range(2))
@pytest.mark.parametrize("profile", Profile)
def test_drawn_cases(tmp_path: Path, profile: Profile, number: int) -> None:
    drawn: list[Schedule] = []

    @seed(number)
    @settings(max_examples=30, database=None, phases=[Phase.generate], deadline=None)
    @given(schedules(profiles=[profile]))
    def draw(case: Schedule) -> None:
        drawn.append(case)

    draw()
    said = [wrong(run(case, tmp_path / f"{n}")) for n, case in enumerate(drawn)]
    assert [one for one in said if one] == []


def test_the_same_case_is_the_same_history(tmp_path: Path) -> None:
    steps = (Away(whom=("alice",), missed=3), Restart(how="kill", after_ms=2))
    first = run(schedule(*steps), tmp_path / "one")
    again = run(schedule(*steps), tmp_path / "two")
    assert first.records == again.records


def whom(history: History, f: F) -> Sequence[str]:
    return [r.who for r in history.records if isinstance(r, Invoke) and r.f is f]


def test_steps_of_clients_that_are_not_there_do_what_is_left(tmp_path: Path) -> None:
    carol = ("carol",)
    inner = (Write(by="carol"), Restart())
    steps: tuple[Step, ...] = (
        Write(by="carol"),
        Cut(whom=carol),
        CutAt(who="carol", aim=Aim.ID_LINE),
        CutNext(who="carol", after_bytes=9),
        Switch(who="carol"),
        Away(whom=carol, missed=2),
        During(fault=FaultKind.STALL, whom=carol, steps=inner),
        Open(tab=Tab(name="carol")),
        Open(tab=Tab(name="carol")),
        Write(by="carol"),
    )
    history = run(schedule(*steps, clients=()), tmp_path)
    assert wrong(history) == []
    assert list(whom(history, F.CREATE)) == ["writer"] * 4 + ["carol", "writer"]
    assert max(r.life for r in history.records if isinstance(r, Life)) == 2


def test_a_probe_comes_with_the_cursor_that_its_kind_says(tmp_path: Path) -> None:
    kinds = [CursorKind.OLD, CursorKind.EVICTED, CursorKind.HEAD, CursorKind.FUTURE]
    probes = [Probe(cursor=kind) for kind in kinds]
    history = run(schedule(*probes, clients=()), tmp_path)
    shown = [
        r.header
        for r in history.records
        if isinstance(r, Opened) and r.who.startswith("probe-")
    ]
    numbers = [int(str(cursor).rpartition("-")[2]) for cursor in shown]
    assert numbers[0] == 0  # one event was written after it, and two are kept
    assert numbers[1] <= numbers[2] - 3
    assert numbers[3] > numbers[2]


def test_a_life_without_cursors_has_none_to_show() -> None:
    known = Known(Profile.BROADCAST, log_limit=2)
    assert [known.cursor(kind, 0) for kind in list(CursorKind)[:-1]] == [""] * 7
    assert known.cursor(CursorKind.MALFORMED, 99)
    assert known.back(3) == 999_999


def probed(history: History) -> list[str]:
    """Who probed, with the cursor's number and whether a reset came."""
    opened = [
        r
        for r in history.records
        if isinstance(r, Opened) and r.who.startswith("probe-")
    ]
    resets = {
        r.conn
        for r in history.records
        if isinstance(r, Frame) and r.text.startswith("event: reset")
    }
    return [f"{r.uid.partition('-')[2]} {r.conn in resets}" for r in opened]


def test_where_events_go_by_age_an_evicted_cursor_takes_time(tmp_path: Path) -> None:
    probes = (
        Probe(cursor=CursorKind.EVICTED),
        Probe(cursor=CursorKind.HEAD),
        Probe(cursor=CursorKind.HEAD, user="other"),
    )
    limits = CaseLimits(message_limit=3, event_log_limit=2, retention_ms=1_000)
    case = schedule(*probes, profile="private", limits=limits, clients=())
    history = run(case, tmp_path)
    assert wrong(history) == []
    assert probed(history)[0] == "user True"
    assert probed(history)[2] == "other True"
    assert history.header.limits.retention_ms == 1_000
    assert history.header.limits.event_log_limit == 0  # private has none


def test_a_sweep_that_takes_too_long_is_not_waited_for(tmp_path: Path) -> None:
    limits = CaseLimits(message_limit=3, event_log_limit=2, retention_ms=60_000)
    evicted, head = (Probe(cursor=c) for c in (CursorKind.EVICTED, CursorKind.HEAD))
    case = schedule(evicted, head, profile="private", limits=limits, clients=())
    history = run(case, tmp_path)
    assert probed(history) == ["user False"]
    assert history.records[-1].t_s < 10


def test_bad_input_asks_by_an_id_of_the_targets_own(tmp_path: Path) -> None:
    case = schedule(Bad(kind=BadKind.BAD_PAGE), profile="log", clients=())
    history = run(case, tmp_path)
    assert wrong(history) == []
    asked = [r.f for r in history.records if isinstance(r, Invoke)]
    assert asked.index(F.CREATE) < asked.index(F.BAD_INPUT)


def test_a_ping_by_hand_is_of_what_is_open_or_has_been(tmp_path: Path) -> None:
    pings = [Ping(whose=whose, twice=whose is Whose.OPEN) for whose in Whose]
    steps = (Switch(who="alice"), Wait(ms=200), *pings)
    history = run(schedule(*steps, clients=(Tab(name="alice"),)), tmp_path)
    assert wrong(history) == []
    pinged = [
        r.about
        for r in history.records
        if isinstance(r, Invoke) and r.f is F.PING and r.who == "pinger"
    ]
    greeted = {
        r.conn: str(fields(r.text)["id"])
        for r in reversed(history.records)
        if isinstance(r, Frame) and r.text.startswith("event: ping")
    }
    opened = {r.who: r.conn for r in reversed(history.records) if isinstance(r, Opened)}
    first, witness = greeted[opened["alice"]], greeted[opened["witness"]]
    assert pinged == ["no-such-connection", first, witness, witness]


def fields(frame: str) -> dict[str, object]:
    """What the data of a frame says."""
    (data,) = (one for one in frame.splitlines() if one.startswith("data: "))
    found: dict[str, object] = json.loads(data.removeprefix("data: "))
    return found


def test_two_deletes_at_once_are_sent_before_either_is_answered(tmp_path: Path) -> None:
    steps = (Write(count=2), Delete(twice=True))
    history = run(schedule(*steps, clients=()), tmp_path)
    assert wrong(history) == []
    begun = [
        place
        for place, r in enumerate(history.records)
        if isinstance(r, Invoke) and r.f is F.DELETE
    ]
    assert begun == [begun[0], begun[0] + 1]


def test_where_there_are_no_users_there_is_one_chat(tmp_path: Path) -> None:
    tabs = (Tab(name="alice"), Tab(name="bob", user="other"))
    away = Away(whom=("alice", "bob"), missed=2)
    history = run(schedule(away, clients=tabs), tmp_path)
    assert whom(history, F.CREATE) == ["writer"] * 4


def test_each_user_is_told_of_their_own_chat(tmp_path: Path) -> None:
    tabs = (Tab(name="alice"), Tab(name="bob", user="other"))
    away = Away(whom=("alice", "bob"), missed=2)
    cut = Cut(whom=("alice", "bob"), after_bytes=200)
    history = run(schedule(away, cut, profile="log", clients=tabs), tmp_path)
    assert wrong(history) == []
    written = [
        r.uid.partition("-")[2]
        for r in history.records
        if isinstance(r, Invoke) and r.f is F.CREATE
    ]
    assert written.count("user") == written.count("other") >= 4


def test_who_is_under_a_deafening_fault_takes_no_other(tmp_path: Path) -> None:
    del tmp_path
    cast = Cast.__new__(Cast)
    cast._held = {"alice": [FaultKind.PARTITION]}
    assert cast.mute("alice")
    assert not cast.mute("bob")


def test_on_the_live_arm(tmp_path: Path) -> None:
    steps = (
        Away(whom=("alice",), missed=3),
        CutAt(who="alice", aim=Aim.DATA_LINE),
        During(fault=FaultKind.BLACK_HOLE, whom=("bob",), steps=(Write(count=2),)),
        Restart(how="kill", after_ms=2),
        Probe(cursor=CursorKind.PREVIOUS_LIFE),
    )
    tabs = (Tab(name="alice"), Tab(name="bob"))
    arm = LiveArm(binary=find_or_build(lambda _: None), folder=tmp_path)
    try:
        assert wrong(run(schedule(*steps, clients=tabs), tmp_path, arm=arm)) == []
    finally:
        arm.run(arm.aclose())
