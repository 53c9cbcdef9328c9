"""Cases that a hunt once found: bugs stay found, and good servers stay unblamed."""

from pathlib import Path

import msgspec
import pytest

import scenarios
from harness.arms import make_arm
from harness.chaos.trial import Trial, Trials
from harness.core.schedule import Schedule, case_name, load_case
from harness.core.target import load_target
from harness.options import find_target

CASES = sorted((Path(scenarios.__file__).parent / "regressions").glob("*.json"))


def tried(schedule: Schedule, folder: Path) -> Trial:
    target = load_target(find_target(schedule.target))
    trials = Trials(target=target, arm=make_arm("sim", folder), folder=folder / "run")
    try:
        return trials.run(schedule)
    finally:
        trials.close()


def test_there_are_some() -> None:
    assert CASES


@pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)
def test_the_clean_server_is_not_blamed(path: Path, tmp_path: Path) -> None:
    clean = msgspec.structs.replace(load_case(path), mutant="")
    trial = tried(clean, tmp_path)
    assert [finding.sentence for finding in trial.broken] == []
    assert trial.judgement.could_not_run == ()


@pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)
def test_the_bug_is_still_found(path: Path, tmp_path: Path) -> None:
    schedule = load_case(path)
    assert path.name == case_name(schedule)
    if schedule.mutant:
        assert schedule.found is not None
        broken = {finding.requirement for finding in tried(schedule, tmp_path).broken}
        assert schedule.found.requirement in broken
