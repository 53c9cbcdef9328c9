"""Runs cases one after the other in one process, and judges each from its history."""

import re
import shutil
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import msgspec

from harness.arms import make_arm
from harness.case import Arm, Case, run_case
from harness.checkers import judge
from harness.core.codec import load
from harness.core.errors import NotApplicable
from harness.core.history import End, History, Lag
from harness.core.verdict import Verdict
from harness.options import Mutant, Settings
from harness.turn import turn
from harness.world import World
from reports.fold import case_result
from reports.result import CaseResult, Outcome
from scenarios.requirements import REQUIREMENTS

HISTORIES = "histories"
LOGS = "logs"
LOCK = ".turn"

TRIES, LATE_S = 3, 0.15
"""How often a case is run that proves nothing while the harness is so late in all."""

CAUGHT = "caught"
"""Holds an empty file for each mutant that was caught, for all workers to see."""


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """A scenario to run: its function, its parameters, its marks."""

    name: str
    function: Callable[..., Any]
    arguments: Mapping[str, Any]
    requirements: tuple[str, ...]
    arms: tuple[str, ...]
    profile: str
    mutant: Mutant | None
    within_s: float
    alone: bool
    limits: Mapping[str, int] = {}

    @property
    def mutant_name(self) -> str:
        """The mutant's name, "" for the target as it is."""
        return self.mutant.name if self.mutant else ""

    @property
    def title(self) -> str:
        """The first line of the scenario's docstring."""
        return (self.function.__doc__ or self.name).strip().splitlines()[0]


class Session:
    """The arm of this process, and where its histories go."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._arm: Arm | None = None

    def run(self, asked: Asked) -> CaseResult:
        """Run one case to its end and judge the history that it left."""
        if self._settings.arm not in asked.arms:
            return _not_applicable(asked, f"only on --arm {', '.join(asked.arms)}")
        with turn(self._settings.out / LOCK, alone=asked.alone):
            if self._is_caught(asked):
                return _not_applicable(asked, "this mutant was caught already")
            return self._tried(asked)

    def _tried(self, asked: Asked) -> CaseResult:
        """Run it once more where all that it showed is a harness that was late."""
        tries = 1
        result, late_s = self._run_and_judge(asked)
        while (
            result.outcome is Outcome.COULD_NOT_RUN
            and late_s >= LATE_S
            and tries < TRIES
            and not failed_of(result)
        ):
            tries += 1
            result, late_s = self._run_and_judge(asked)
        return msgspec.structs.replace(result, tries=tries)

    def _run_and_judge(self, asked: Asked) -> tuple[CaseResult, float]:
        """Gives the result, and `late_s` of its history."""
        began = time.monotonic()
        file = f"{_file_name(asked.name)}.jsonl"
        path = self._settings.out / HISTORIES / file
        folder = self._settings.out / LOGS / path.stem
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        try:
            self._get_arm().run(self._run(asked, path, folder))
        except NotApplicable as reason:
            path.unlink(missing_ok=True)
            return _not_applicable(asked, str(reason)), 0.0
        finally:
            _drop_data(folder)
        # Judged from the file, so that `unbroken judge` cannot say otherwise.
        history = load(path)
        result = case_result(
            judge(history),
            asked.requirements,
            REQUIREMENTS,
            title=asked.title,
            history=f"{HISTORIES}/{file}",
            duration_s=round(time.monotonic() - began, 3),
            mutant=asked.mutant_name,
            profile=asked.profile,
        )
        self._note_caught(asked, result)
        return result, late_s(history)

    def close(self) -> None:
        """End what the arm still runs."""
        if self._arm is not None:
            self._arm.run(self._arm.aclose())

    def _is_caught(self, asked: Asked) -> bool:
        caught = bool(asked.mutant) and self._flag(asked).exists()
        return caught and not self._settings.every

    def _note_caught(self, asked: Asked, result: CaseResult) -> None:
        if asked.mutant and asked.mutant.requirement in failed_of(result):
            self._flag(asked).parent.mkdir(parents=True, exist_ok=True)
            self._flag(asked).touch()

    def _flag(self, asked: Asked) -> Path:
        return self._settings.out / CAUGHT / asked.mutant_name

    async def _run(self, asked: Asked, path: Path, folder: Path) -> None:
        async def scenario(world: World) -> None:
            await asked.function(world=world, **asked.arguments)

        await run_case(
            self._case(asked), scenario, arm=self._get_arm(), path=path, folder=folder
        )

    def _case(self, asked: Asked) -> Case:
        settings = self._settings
        return Case(
            scenario=asked.name,
            title=asked.title,
            requirements=asked.requirements,
            target=settings.target.with_limits(asked.profile, asked.limits),
            profile=asked.profile,
            arm=settings.arm,
            seed=settings.seed,
            mutant=asked.mutant_name,
            within_s=asked.within_s,
        )

    def _get_arm(self) -> Arm:
        if self._arm is None:
            self._arm = make_arm(
                self._settings.arm, self._settings.out / LOGS, self._settings.forks
            )
        return self._arm


def _file_name(name: str) -> str:
    """A scenario's name as a file's: letters, digits, dots, dashes."""
    return re.sub(r"[^A-Za-z0-9._-]+", "-", name.removesuffix(".py")).strip("-")


def late_s(history: History) -> float:
    """By how many seconds the harness was late in all, in a case that it brought to its
    end; one that it broke off, or down in, tells nothing by that.
    """
    end = history.records[-1] if history.records else None
    if not (isinstance(end, End) and end.complete):
        return 0.0
    return sum(one.lag_s for one in history.records if isinstance(one, Lag))


def failed_of(result: CaseResult) -> list[str]:
    """The requirements that a case found broken, SHOULDs too."""
    return [
        judgement.requirement
        for judgement in result.judgements
        if judgement.verdict is Verdict.FAIL
    ]


def _drop_data(folder: Path) -> None:
    for data in folder.glob("data-*"):
        shutil.rmtree(data, ignore_errors=True)


def _not_applicable(asked: Asked, reason: str) -> CaseResult:
    return CaseResult(
        scenario=asked.name,
        title=asked.title,
        requirements=asked.requirements,
        outcome=Outcome.NOT_APPLICABLE,
        reasons=(reason,),
        mutant=asked.mutant_name,
        profile=asked.profile,
    )
