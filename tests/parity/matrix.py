"""Plays cells of the matrix in one world of an arm, and observes each.

A world is a server and its clients: the cells of a row share one, one after the other.
Idle cells have worlds of their own, whose server keeps alive often; elsewhere a
keep-alive would get in the way.
"""

from dataclasses import dataclass
from pathlib import Path
from unittest.mock import patch

import msgspec

from harness.arms import make_arm
from harness.case import Case, Scenario, run_case
from harness.chaos.phases import Phase
from harness.core.codec import load
from harness.core.errors import Unreached
from harness.core.history import AnyRecord, End, Message
from harness.core.target import Target, load_target
from harness.options import find_target
from harness.world import World
from tests.parity.faults import CELLS, ROWS, Cell, Row
from tests.parity.seen import Seen, labels_of, tries_of, view_of, writes_of
from tests.parity.stage import Stage

PROFILE = "broadcast"
BEFORE = 10
"""Messages written first, so that the numbers of a world all have two digits."""

SELDOM_MS, OFTEN_MS = 60_000, 250
"""How often the server keeps an idle stream alive."""

ANSWER_S = 2.0
"""How long a client of these worlds waits for an answer: lost ones are waited for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Played:
    """What a cell leaves beside its records."""

    stage: Stage
    view: tuple[Message, ...]
    trouble: str


def worlds() -> dict[str, tuple[Cell, ...]]:
    """The cells of each world, by a name for it."""
    found: dict[str, tuple[Cell, ...]] = {}
    for fault, phase in CELLS:
        name = f"{fault}, idle" if phase is Phase.IDLE else fault
        found[name] = (*found.get(name, ()), (fault, phase))
    return found


def play(arm_name: str, cells: tuple[Cell, ...], folder: Path) -> dict[Cell, Seen]:
    """Run cells one after the other in one world of this arm."""
    played: dict[Cell, Played] = {}

    async def scenario(world: World) -> None:
        await world.write_many(BEFORE)
        for cell in cells:
            played[cell] = await _cell(world, cell)

    path = folder / f"{arm_name}.jsonl"
    _run(_case(arm_name, cells), scenario, path, folder / arm_name)
    records = load(path).records
    end = records[-1]
    assert isinstance(end, End)
    assert end.complete, end.reason
    return {cell: _seen(records, ROWS[cell[0]], played[cell]) for cell in cells}


def _run(case: Case, scenario: Scenario, path: Path, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    arm = make_arm(case.arm, folder)

    async def main() -> None:
        try:
            await run_case(case, scenario, arm=arm, path=path, folder=folder)
        finally:
            await arm.aclose()

    with patch("harness.client.calls.TIMEOUT_S", ANSWER_S):
        arm.run(main())


async def _cell(world: World, cell: Cell) -> Played:
    fault, phase = cell
    row = ROWS[fault]
    name = f"{fault}/{phase}".replace(", ", "-").replace(" ", "-")
    stage = Stage(world, name, close=row.close, pings=row.pings)
    trouble = ""
    await stage.open()
    try:
        async with row.reaches(phase)(stage) as hold:
            await row.deed(stage, phase, hold)
        await stage.finish()
    except Unreached as error:
        trouble = str(error)
    view = stage.client.view.messages()
    await stage.client.close()
    return Played(stage=stage, view=view, trouble=trouble)


def _seen(records: tuple[AnyRecord, ...], row: Row, played: Played) -> Seen:
    stage, name = played.stage, played.stage.name
    return Seen(
        tries=tries_of(records, name, exact=row.exact),
        events=labels_of(records, name, name),
        writes=writes_of(records, name),
        held_back=stage.held_back,
        bit=stage.bit,
        resets=stage.client.resets,
        view=view_of(played.view, name),
        trouble=played.trouble,
    )


def _case(arm_name: str, cells: tuple[Cell, ...]) -> Case:
    idle = any(phase is Phase.IDLE for _, phase in cells)
    return Case(
        scenario="parity",
        title="Parity.",
        requirements=(),
        target=_target(keepalive_ms=OFTEN_MS if idle else SELDOM_MS),
        profile=PROFILE,
        arm=arm_name,
        seed=0,
    )


def _target(*, keepalive_ms: int) -> Target:
    """The reference server, patient with clients that fall silent."""
    target = load_target(find_target("reference"))
    profiled = target.profiles[PROFILE]
    limits = msgspec.structs.replace(
        profiled.limits,
        message_limit=100,
        event_log_limit=200,
        ping_grace_ms=60_000,
        keepalive_ms=keepalive_ms,
    )
    changed = msgspec.structs.replace(profiled, limits=limits)
    profiles = target.profiles | {PROFILE: changed}
    return msgspec.structs.replace(target, profiles=profiles)
