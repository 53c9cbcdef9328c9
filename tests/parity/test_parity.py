"""Every fault in every phase, on both arms: the client sees the same.

The cells of one world are one test, for a world takes a server.
"""

from collections.abc import Callable
from pathlib import Path

import pytest

from harness.chaos.phases import Phase
from harness.core.fault import OF_STORAGE, REPLACING, Close, Fault, FaultKind
from harness.sim import connection, network
from tests.parity.differences import DIFFERENCES
from tests.parity.faults import CELLS, ROWS, Cell
from tests.parity.matrix import play, worlds
from tests.parity.phases import REACH
from tests.parity.seen import Seen, diff
from tests.parity.table import DOC, table, written_into

WORLDS = worlds()


@pytest.mark.parametrize("world", WORLDS)
def test_both_arms_show_the_same(world: str, tmp_path: Path) -> None:
    cells = WORLDS[world]
    live, sim = (play(arm, cells, tmp_path) for arm in ("live", "sim"))
    for cell in cells:
        assert_reached(cell, live[cell])
        assert_reached(cell, sim[cell])
    found = {cell: diff(live[cell], sim[cell]) for cell in cells}
    assert found == {cell: listed(cell) for cell in cells}


def assert_reached(cell: Cell, seen: Seen) -> None:
    """Two arms that both do nothing would agree."""
    fault, phase = cell
    assert seen.trouble == "", cell
    assert seen.bit == (phase not in ROWS[fault].unseen), cell


def listed(cell: Cell) -> str:
    return DIFFERENCES[cell].shows if cell in DIFFERENCES else ""


# ---- the matrix is whole -------------------------------------------------------------


def test_every_fault_has_a_row() -> None:
    elsewhere = {*OF_STORAGE, *REPLACING}  # a database's and nginx's have no phases
    assert {row.kind for row in ROWS.values()} == set(FaultKind) - elsewhere
    cuts = [row for row in ROWS.values() if row.kind is FaultKind.CUT]
    forms = {(row.close, row.exact) for row in cuts}
    assert forms == {(close, exact) for close in Close for exact in (False, True)}


def test_every_phase_can_be_reached() -> None:
    assert set(REACH) == set(Phase)
    assert {phase for _, phase in CELLS} == set(Phase)


def test_what_is_left_out_has_a_reason() -> None:
    for name, row in ROWS.items():
        assert set(row.senseless) < set(Phase), name
        assert not set(row.senseless) & set(row.unseen), name
        assert all((*row.senseless.values(), *row.unseen.values())), name


def test_differences_are_of_cells_and_have_reasons() -> None:
    assert set(DIFFERENCES) <= set(CELLS)
    assert all(one.shows and one.reason for one in DIFFERENCES.values())


def test_the_table_in_the_docs_is_of_today() -> None:
    text = DOC.read_text(encoding="utf-8")
    assert text == written_into(text), "run `python -m tests.parity`"
    assert text.count("| differs (") == len(DIFFERENCES)
    assert table().count("| same") == len(CELLS) - len(DIFFERENCES)


# ---- a simulator with another fault in it is told from ours --------------------------


Plant = Callable[[pytest.MonkeyPatch], None]


def closes_the_other_way(patch: pytest.MonkeyPatch) -> None:
    ends = connection.ClientEnd.peer_ended
    patch.setattr(
        connection.ClientEnd,
        "peer_ended",
        lambda self, reset: ends(self, not reset),
    )


def cuts_a_byte_later(patch: pytest.MonkeyPatch) -> None:
    limit = network.SimPassage.limit
    patch.setattr(
        network.SimPassage, "limit", lambda self, after: limit(self, after + 1)
    )


def refuses_in_other_words(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(network, "REFUSED", "no")


def does_nothing(kind: FaultKind) -> Plant:
    """Connections are not touched by faults of this kind."""

    def plant(patch: pytest.MonkeyPatch) -> None:
        shapes = network.shapes
        patch.setattr(
            network,
            "shapes",
            lambda faults: shapes([one for one in faults if one.kind is not kind]),
        )

    return plant


def ends_when_it_is_healed(patch: pytest.MonkeyPatch) -> None:
    async def cure(self: network.SimPassage, fault: Fault) -> None:
        del fault
        await self.end()

    patch.setattr(network.SimPassage, "cure", cure)


def outlives_its_process(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(connection.Connection, "sever", lambda self: self.forget())


PLANTED: dict[Cell, Plant] = {
    ("cut, FIN", Phase.BEFORE_HEADERS): closes_the_other_way,
    ("cut, RST", Phase.IDLE): closes_the_other_way,
    ("cut at byte k, FIN", Phase.INSIDE_A_FRAME): cuts_a_byte_later,
    ("refuse", Phase.CONNECTING): refuses_in_other_words,
    ("latency", Phase.BETWEEN_FRAMES): does_nothing(FaultKind.LATENCY),
    ("bandwidth", Phase.BETWEEN_FRAMES): does_nothing(FaultKind.BANDWIDTH),
    ("slice", Phase.BETWEEN_FRAMES): does_nothing(FaultKind.SLICE),
    ("stall", Phase.IDLE): does_nothing(FaultKind.STALL),
    ("stall", Phase.BETWEEN_FRAMES): ends_when_it_is_healed,
    ("black-hole", Phase.IDLE): does_nothing(FaultKind.BLACK_HOLE),
    ("partition", Phase.INSIDE_A_FRAME): does_nothing(FaultKind.PARTITION),
    ("lost-acknowledgement", Phase.IDLE): does_nothing(FaultKind.LOST_ACK),
    ("slow-close", Phase.BETWEEN_FRAMES): does_nothing(FaultKind.SLOW_CLOSE),
    ("kill", Phase.REPLAY): outlives_its_process,
}


@pytest.mark.parametrize("cell", PLANTED, ids=", ".join)
def test_a_planted_difference_shows(
    cell: Cell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours = play("sim", (cell,), tmp_path)[cell]
    assert play("sim", (cell,), tmp_path)[cell] == ours
    PLANTED[cell](monkeypatch)
    assert diff(play("sim", (cell,), tmp_path)[cell], ours) != ""
