"""What the user chose to run, resolved and checked before anything starts."""

import os
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from rich.console import Console

from harness.commands.engine import Listener, engine, option
from harness.commands.folder import clear, forget_verdict, prepare
from harness.core.target import Target, load_target
from harness.judged import LOGS
from harness.live.fork_server import PRELOAD_LOG
from harness.options import check_arm, find_target, profiles_of
from harness.prefork.start import Preload
from reports.terminal import LiveProgress


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """One selection of cases against one target; `profile` "" is all that it has."""

    path: Path
    target: Target
    profile: str
    profiles: tuple[str, ...]
    keyword: str | None
    requirement: str
    arm: str
    app: str
    jobs: int
    out: Path
    seed: int

    @classmethod
    def of(
        cls,
        *,
        target: str,
        keyword: str | None,
        requirement: str | None,
        profile: str | None,
        arm: str,
        app: str | None,
        jobs: int | None,
        out: Path,
        seed: int,
    ) -> "Choice":
        """From the command line's options; raises `BadInput` for what cannot be.

        A target that runs already is one server: its cases take turns.
        """
        path = find_target(target)
        loaded = load_target(path, app=app or "")
        check_arm(loaded, arm)
        chosen = profiles_of(loaded, profile or "")
        prepare(out)
        return cls(
            path=path.absolute(),
            target=loaded,
            profile=profile or "",
            profiles=chosen,
            keyword=keyword,
            requirement=requirement or "",
            arm=arm,
            app=app or "",
            jobs=1 if loaded.url else jobs or usual_jobs(arm),
            out=out.absolute(),
            seed=seed,
        )

    def carry_out(self, listener: Listener, *arguments: str) -> None:
        """Run the cases; `arguments` are pytest's beside those of the choice.

        Histories of the run before go once it is sure that there are cases.
        """
        forget_verdict(self.out)
        listener.at_start = partial(clear, self.out)
        told = ("profile", "arm", "app", "out", "seed", "requirement")
        engine(
            listener,
            [
                option("target", self.path),
                *(option(name, getattr(self, name)) for name in told),
                *arguments,
            ],
            keyword=self.keyword,
            jobs=self.jobs,
            # A simulated case stops the clock of its process, and progress needs one.
            apart=self.arm == "sim",
            preload=self._preload(),
        )

    def _preload(self) -> Preload | None:
        """What the workers' targets are forked with."""
        start = self.target.start
        if self.arm == "sim" or not (start and start.preload):
            return None
        return Preload(start.preload, log=self.out / LOGS / PRELOAD_LOG)


def usual_jobs(arm: str) -> int:
    """A live case mostly waits, a simulated one computes."""
    processors = os.cpu_count() or 1
    return processors if arm == "sim" else min(12, 6 * processors)


def listening(console: Console) -> tuple[Listener, LiveProgress]:
    """A listener and the progress that it shows; stop the latter in the end."""
    progress = LiveProgress(console)
    return Listener(progress), progress
