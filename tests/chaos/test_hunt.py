"""Hunting: a fixed seed on the clean server, and a find that is made small."""

import itertools
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
from hypothesis.internal.conjecture import providers

from harness.arms import make_arm
from harness.chaos.draw import schedules
from harness.chaos.hunt import Find, Hunter
from harness.chaos.trial import Trial, Trials
from harness.core.schedule import Schedule, encode_case, every_step
from harness.core.target import load_target
from harness.core.verdict import CaseJudgement, Finding, Sighting, judge_findings
from harness.options import find_target

BAD = "converge"


def hunted(
    folder: Path, *, mutant: str = "", seed: int, runs: int
) -> tuple[Find | None, list[Trial]]:
    seen: list[Trial] = []
    target = load_target(find_target("reference"))
    trials = Trials(target=target, arm=make_arm("sim", folder), folder=folder / "run")

    def attempt(schedule: Schedule) -> Trial:
        seen.append(trials.run(schedule))
        return seen[-1]

    def wanted(trial: Trial) -> str:
        return next((finding.requirement for finding in trial.broken), "")

    try:
        hunter = Hunter(attempt, wanted, enough=lambda: False)
        return hunter.hunt(schedules(mutant=mutant), seed=seed, runs=runs), seen
    finally:
        trials.close()


def test_a_fixed_seed_blames_nobody(tmp_path: Path) -> None:
    find, seen = hunted(tmp_path, seed=20_261_124, runs=60)
    assert find is None
    assert len(seen) >= 60
    assert [t.judgement.could_not_run for t in seen if t.judgement.could_not_run] == []


def test_one_seed_one_hunt(tmp_path: Path) -> None:
    runs = [hunted(tmp_path, seed=5, runs=8)[1] for _ in range(2)]
    told = [[(t.schedule, t.judgement, t.virtual_s) for t in seen] for seen in runs]
    assert told[0] == told[1]


def quick_hunt(
    seed: int, runs: int, *, is_bad: Callable[[Schedule], bool] = lambda _: False
) -> tuple[Find | None, list[Schedule]]:
    """A hunt that plays nothing: a case breaks a requirement where `is_bad` says so."""
    seen: list[Schedule] = []

    def attempt(schedule: Schedule) -> Trial:
        seen.append(schedule)
        sighting = Sighting.BROKEN if is_bad(schedule) else Sighting.HELD
        found = judge_findings(BAD, [Finding(requirement=BAD, sighting=sighting)])
        return Trial(
            schedule=schedule,
            judgement=CaseJudgement(scenario="quick", judgements=(found,)),
            virtual_s=0.0,
            edges=Counter(),
            reached=set(),
        )

    def wanted(trial: Trial) -> str:
        return next((finding.requirement for finding in trial.broken), "")

    hunter = Hunter(attempt, wanted, enough=lambda: False)
    return hunter.hunt(schedules(), seed=seed, runs=runs), seen


def test_no_case_is_a_variation_of_another() -> None:
    _, seen = quick_hunt(1, 200)
    steps = [step for case in seen for step in case.steps]
    assert len(seen) == 200
    assert len({encode_case(case) for case in seen}) == 200
    assert len({msgspec.json.encode(step) for step in steps}) > len(steps) / 3


def test_cases_hang_on_the_seed_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    def constants() -> None:
        raise AssertionError("constants of whatever is imported were looked up")

    once = quick_hunt(2, 100)[1]
    monkeypatch.setattr(providers, "_get_local_constants", constants)
    assert quick_hunt(2, 100)[1] == once != quick_hunt(3, 100)[1]


def test_a_find_that_does_not_show_again_is_kept() -> None:
    tries = itertools.count()
    find, seen = quick_hunt(4, 50, is_bad=lambda _: next(tries) == 20)
    assert find is not None
    assert find.trial.schedule == seen[20]
    assert find.runs == 21


def test_a_find_is_made_small(tmp_path: Path) -> None:
    find, seen = hunted(tmp_path, mutant="constant-epoch", seed=3, runs=200)
    assert find is not None
    assert find.runs <= len(seen)
    assert len(list(every_step(find.trial.schedule.steps))) <= 4
    assert find.requirement in {finding.requirement for finding in find.trial.broken}
