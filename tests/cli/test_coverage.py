"""Every requirement is judged and has a bug to catch; the document says so."""

from pathlib import Path

import pytest

from harness.commands.coverage import Row
from harness.core.profile import PERSONAL, Profile
from harness.core.requirement import Level, Requirement
from tests.hostile.driver import ROOT, unbroken


def test_no_hole_and_no_stale_document(tmp_path: Path) -> None:
    done = unbroken("list", "--coverage", cwd=tmp_path)
    assert done.status == 0, done.text
    done = unbroken("list", "--coverage", "--markdown", cwd=tmp_path)
    file = ROOT / "docs" / "requirements.md"
    said = f"write it anew: unbroken list --coverage --markdown > {file.name}"
    assert done.text == file.read_text(encoding="utf-8"), said


def test_markdown_is_of_coverage(tmp_path: Path) -> None:
    done = unbroken("list", "--markdown", cwd=tmp_path)
    assert done.status == 2
    assert "--markdown is of --coverage" in done.text


SCENARIO = {"test_x.py::test_y": None}


def row(level: Level = Level.MUST, **fields: dict[Profile, list[str]]) -> Row:
    told = Requirement(
        id="area/name", level=level, profiles=PERSONAL, text="x", source="y"
    )
    scenarios = dict.fromkeys(fields.pop("scenarios", {}), SCENARIO)
    return Row(told, scenarios, fields.pop("mutants", {}))


@pytest.mark.parametrize(
    ("made", "holes"),
    [
        (row(scenarios={one: [] for one in PERSONAL}, mutants={PERSONAL[0]: ["m"]}), 0),
        (row(scenarios={PERSONAL[0]: []}, mutants={PERSONAL[0]: ["m"]}), 1),
        (row(scenarios={one: [] for one in PERSONAL}), 1),
        (row(scenarios={one: [] for one in PERSONAL}, mutants={PERSONAL[0]: []}), 1),
        (row(Level.SHOULD, scenarios={one: [] for one in PERSONAL}), 0),
        (row(), 3),
    ],
    ids=range(6),
)
def test_holes_are_told(made: Row, holes: int) -> None:
    assert len(list(made.holes())) == holes
