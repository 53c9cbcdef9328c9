"""Runs one schedule on an arm, and judges what it left behind by all checkers."""

import shutil
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from harness.case import Arm, Case, run_case
from harness.chaos.edges import channels_of, edges_of
from harness.chaos.phases import Phase, reached_in
from harness.chaos.play import play
from harness.checkers import judge
from harness.core.codec import load
from harness.core.fault import FaultKind
from harness.core.schedule import Schedule, narrowed
from harness.core.target import Target
from harness.core.verdict import CaseJudgement, Finding, Sighting, Verdict
from harness.world import World

SCENARIO = "chaos"


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """A schedule that was run: its verdict, and where it went."""

    schedule: Schedule
    judgement: CaseJudgement
    virtual_s: float
    edges: Counter[str]
    reached: set[tuple[FaultKind, Phase]]

    @property
    def broken(self) -> list[Finding]:
        """One finding for each requirement that is broken."""
        firsts: dict[str, Finding] = {}
        for judgement in self.judgement.judgements:
            for finding in judgement.findings:
                if finding.sighting is Sighting.BROKEN:
                    firsts.setdefault(judgement.requirement, finding)
        return list(firsts.values())

    @property
    def exercised(self) -> list[str]:
        """Requirements on which the run has a verdict."""
        return [
            judgement.requirement
            for judgement in self.judgement.judgements
            if judgement.verdict is not Verdict.UNKNOWN
        ]


class Trials:
    """Runs schedules against one target, one after the other, on one arm.

    The history of the last one is at `path`; `folder` is for its scratch files.
    """

    def __init__(self, *, target: Target, arm: Arm, folder: Path) -> None:
        self.path = folder / "history.jsonl"
        self._target = target
        self._arm = arm
        self._folder = folder

    def run(self, schedule: Schedule, *, path: Path | None = None) -> Trial:
        """Run one; its history goes to `path` when that is given."""
        path = path or self.path
        logs = self._folder / "logs"
        shutil.rmtree(logs, ignore_errors=True)
        logs.mkdir(parents=True)
        case = Case(
            scenario=SCENARIO,
            title="A random schedule.",
            requirements=(),
            target=narrowed(self._target, schedule),
            profile=schedule.profile,
            arm=self._arm.name,
            seed=schedule.seed,
            mutant=schedule.mutant,
        )

        async def scenario(world: World) -> None:
            await play(world, schedule)

        self._arm.run(run_case(case, scenario, arm=self._arm, path=path, folder=logs))
        history = load(path)
        channels = channels_of(history)
        return Trial(
            schedule=schedule,
            judgement=judge(history),
            virtual_s=history.records[-1].t_s if history.records else 0.0,
            edges=edges_of(channels),
            reached=reached_in(channels),
        )

    def close(self) -> None:
        """Give the arm's processes back."""
        self._arm.run(self._arm.aclose())
        shutil.rmtree(self._folder, ignore_errors=True)
