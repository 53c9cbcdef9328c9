"""Faults of the storage on both arms: every caller and every stream is told the same.

A fault of the storage meets no phase of a connection, so it has no row in the matrix;
whole scenarios are compared instead. Times are not, nor how often an equal call was
made again, nor who came too early once the fault was over.
"""

from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

import pytest

from harness.arms import make_arm
from harness.case import Case, run_case
from harness.core.codec import load
from harness.core.fault import OF_STORAGE, FaultKind
from harness.core.history import (
    AnyRecord,
    End,
    F,
    Fail,
    Frame,
    Hold,
    Info,
    Invoke,
    Ok,
    Opened,
)
from harness.core.target import load_target
from harness.options import find_target
from harness.sim import disk
from harness.world import World
from scenarios import test_storage as storage

Told = dict[str, list[str]]
UNTOLD = (F.PING, F.FAULT)


async def slow_writes(world: World) -> None:
    """One writer and one reader, so that their order is one and the same."""
    await world.write_many(2)
    async with world.storage.slow(storage.SLOW_S):
        await world.write()
        await world.snapshot()
        await world.write()
        await world.read_all()
    await world.write()


SCENARIOS: dict[str, Callable[[World], Awaitable[None]]] = {
    "away": storage.test_writes_while_the_database_is_away,
    "full": storage.test_writes_while_the_disk_is_full,
    "snapshots": storage.test_snapshots_while_the_database_is_away,
    "back": storage.test_back_while_the_database_is_away,
    "killed": storage.test_what_was_refused_is_not_there_after_a_kill,
    "slow": slow_writes,
}


def played(arm_name: str, name: str, folder: Path) -> Told:
    path = folder / f"{arm_name}.jsonl"
    (folder / arm_name).mkdir(exist_ok=True)
    arm = make_arm(arm_name, folder / arm_name)
    case = Case(
        scenario=name,
        title="Parity.",
        requirements=(),
        target=load_target(find_target("reference")),
        profile="broadcast",
        arm=arm_name,
        seed=0,
    )

    async def main() -> None:
        try:
            await run_case(
                case, SCENARIOS[name], arm=arm, path=path, folder=folder / arm_name
            )
        finally:
            await arm.aclose()

    arm.run(main())
    records = load(path).records
    end = records[-1]
    assert isinstance(end, End)
    assert end.complete, end.reason
    return told(records)


def told(records: Sequence[AnyRecord]) -> Told:
    """By participant: what became of each call, and each event of its streams."""
    found: Told = {}
    done = {r.call: r for r in records if isinstance(r, Ok | Fail | Info)}
    whose = {r.conn: r.who for r in records if isinstance(r, Opened)}
    holds = False
    for record in records:
        if isinstance(record, Hold):
            holds = not record.ends
        elif isinstance(record, Invoke) and record.f not in UNTOLD:
            if holds or isinstance(done.get(record.n), Ok):
                _add(found, record.who, f"{record.f} {_outcome(done.get(record.n))}")
        elif isinstance(record, Invoke) and record.fault is not None:
            bit = isinstance(done.get(record.n), Ok)
            _add(found, "nemesis", f"{record.fault.kind} {bit}")
        elif isinstance(record, Frame) and record.text.startswith("event:"):
            _add(found, f"stream of {whose[record.conn]}", record.text.split("\n")[0])
    return found


def _add(found: Told, who: str, line: str) -> None:
    lines = found.setdefault(who, [])
    if not lines or lines[-1] != line:
        lines.append(line)


def _outcome(done: Ok | Fail | Info | None) -> str:
    answer = done.answer if done is not None else None
    return f"{type(done).__name__} {answer.status if answer else 'no answer'}"


@pytest.mark.parametrize("name", SCENARIOS)
def test_both_arms_tell_the_same(name: str, tmp_path: Path) -> None:
    sim, live = (played(arm, name, tmp_path) for arm in ("sim", "live"))
    assert sim == live
    assert "nemesis" in sim
    assert all(line.endswith("True") for line in sim["nemesis"])


def test_every_fault_of_both_arms_is_compared(tmp_path: Path) -> None:
    kinds = {
        line.split()[0]
        for name in ("away", "full", "slow")
        for line in played("sim", name, tmp_path)["nemesis"]
    }
    assert kinds == set(OF_STORAGE) - {FaultKind.COMMIT_CUT}  # of PostgreSQL only


def test_a_planted_difference_shows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours = played("sim", "full", tmp_path)
    assert played("sim", "full", tmp_path) == ours
    monkeypatch.setattr(disk, "_commits", lambda *_: False)
    assert played("sim", "full", tmp_path) != ours
