"""Hunting: a fixed seed on the clean server, and a find that is made small."""

from pathlib import Path

from harness.arms import make_arm
from harness.chaos.draw import schedules
from harness.chaos.hunt import Find, Hunter
from harness.chaos.trial import Trial, Trials
from harness.core.schedule import Schedule, every_step
from harness.core.target import load_target
from harness.options import find_target


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


def test_a_find_is_made_small(tmp_path: Path) -> None:
    find, seen = hunted(tmp_path, mutant="constant-epoch", seed=3, runs=200)
    assert find is not None
    assert find.runs <= len(seen)
    assert len(list(every_step(find.trial.schedule.steps))) <= 4
    assert find.requirement in {finding.requirement for finding in find.trial.broken}
