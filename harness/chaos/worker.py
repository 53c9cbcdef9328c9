"""A process of its own that hunts: told a share of the runs, it reports every trial.

Shares are fixed by seed and number, whoever takes them: the same seed tries the same
schedules with one process as with eight.
"""

import signal
from collections.abc import Callable
from multiprocessing.queues import Queue
from pathlib import Path
from types import FrameType

import msgspec

from harness.arms import make_arm
from harness.chaos.draw import schedules
from harness.chaos.hunt import Find, Hunter
from harness.chaos.trial import Trial, Trials
from harness.core.errors import HarnessError
from harness.core.schedule import Found, Schedule, case_name
from harness.core.target import Target
from harness.parent import end_with_parent

SHARE = 100
"""Runs of one share; the first of each is the simplest case that there is."""


class Errand(msgspec.Struct, frozen=True, kw_only=True):
    """What a worker is told: which target, where, and which shares of the runs.

    It takes every `step`-th share from `first` on, `runs` trials in all shares
    together; 0 means until it is ended. With `keep` every history stays in `out`.
    Cases are of one of the `profiles`. A find breaks `only`, or any of `musts` where
    that is "".
    """

    target: Target
    profiles: tuple[str, ...]
    arm: str
    mutant: str
    seed: int
    out: str
    runs: int
    musts: tuple[str, ...]
    first: int = 0
    step: int = 1
    only: str = ""
    shrink: bool = True
    keep: bool = False
    going_on: bool = False


class Tried(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """One trial: what it reached; `reasons` say why it could not be run.

    `shrinking`: it was run to make a find smaller.
    """

    virtual_s: float
    edges: tuple[str, ...]
    reached: tuple[tuple[str, str], ...]
    exercised: tuple[str, ...]
    warned: tuple[str, ...]
    reasons: tuple[str, ...]
    shrinking: bool


class Sighted(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """A trial has broken this requirement: `Caught` follows, however long it takes."""

    requirement: str


class Caught(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """A find, shrunk, that took so many runs; `again`: seen when run once more.

    `also` are the other requirements that the same schedule breaks.
    """

    schedule: Schedule
    found: Found
    also: tuple[str, ...]
    runs: int
    again: bool


class Ended(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """An errand is done, after so many runs, or broke down with `error`."""

    runs: int = 0
    error: str = ""


Said = Tried | Sighted | Caught | Ended


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """What a worker says; `worker` is its number, `mutant` its errand's."""

    worker: int
    mutant: str
    what: Said


Tell = Callable[[Said], None]


def work(number: int, errands: "Queue[bytes]", reports: "Queue[bytes]") -> None:
    """A worker's main program: errands until an empty one comes."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent ends us
    signal.signal(signal.SIGTERM, _stop)
    end_with_parent()
    while data := errands.get():
        errand = msgspec.msgpack.decode(data, type=Errand)

        def tell(what: Said, mutant: str = errand.mutant) -> None:
            report = Report(worker=number, mutant=mutant, what=what)
            reports.put(msgspec.msgpack.encode(report))

        tell(_run(number, errand, tell))


def _stop(number: int, frame: FrameType | None) -> None:
    """End, but not before a trial that runs has ended, and a find been told."""
    del number, frame
    Worker.stopping = True
    if not Worker.working:
        raise SystemExit(0)


def _run(number: int, errand: Errand, tell: Tell) -> Ended:
    try:
        Worker.working = True
        return Ended(runs=Worker(number, errand, tell).work())
    except HarnessError as trouble:
        return Ended(error=str(trouble))
    except Exception as trouble:
        return Ended(error=f"the harness broke down: {trouble!r}")
    finally:
        Worker.working = False


def share_seed(seed: int, share: int) -> int:
    """The seed of one share."""
    return seed * 1_000_003 + share


class Worker:
    """Carries out one errand.

    `working` tells that one is being carried out, `stopping` that it is to end.
    """

    working = False
    stopping = False

    def __init__(self, number: int, errand: Errand, tell: Tell) -> None:
        self._errand = errand
        self._tell = tell
        self._out = Path(errand.out)
        folder = self._out / "workers" / str(number)
        self._trials = Trials(
            target=errand.target, arm=make_arm(errand.arm, folder), folder=folder
        )
        self._strategy = schedules(
            target=errand.target.name,
            profiles=errand.profiles,
            mutant=errand.mutant,
            capabilities=errand.target.abilities,
        )
        self._hunter = self._new_hunter()
        self._share = errand.first
        self._number = 0
        self._runs = 0

    def work(self) -> int:
        """Take share after share; gives the runs that it took."""
        try:
            while (size := self._size()) > 0 and not self._hunt(size):
                self._share += self._errand.step
        finally:
            self._trials.close()
        return self._runs

    def _size(self) -> int:
        """Runs of the next share; 0 when there is none left."""
        if not self._errand.runs:
            return SHARE
        return min(SHARE, self._errand.runs - self._share * SHARE)

    def _hunt(self, size: int) -> bool:
        """One share; True when a find ends the errand."""
        seed, self._number = share_seed(self._errand.seed, self._share), 0
        while size > 0:
            hunter = self._hunter = self._new_hunter()
            find = hunter.hunt(
                self._strategy, seed=seed, runs=size, shrink=self._errand.shrink
            )
            self._runs += hunter.runs
            size -= hunter.runs
            seed += 1
            if find is None:
                return False
            self._caught(find)
            if not self._errand.going_on:
                return True
        return False

    def _new_hunter(self) -> Hunter:
        return Hunter(self._attempt, self._wanted, enough=lambda: Worker.stopping)

    def _attempt(self, schedule: Schedule) -> Trial:
        if Worker.stopping and not self._hunter.requirement:
            raise SystemExit(0)
        self._number += 1
        name = f"share-{self._share:04}-{self._number:04}"
        path = self._history(name) if self._errand.keep else None
        trial = self._trials.run(schedule, path=path)
        musts = self._errand.musts
        warned = [one for one in trial.broken if one.requirement not in musts]
        self._tell(
            Tried(
                virtual_s=trial.virtual_s,
                edges=tuple(trial.edges),
                reached=tuple(sorted((str(f), str(p)) for f, p in trial.reached)),
                exercised=tuple(trial.exercised),
                warned=tuple(one.requirement for one in warned),
                reasons=trial.judgement.could_not_run,
                shrinking=bool(self._hunter.requirement),
            )
        )
        return trial

    def _wanted(self, trial: Trial) -> str:
        """The requirement that this trial counts for, if it does."""
        broken = [one.requirement for one in trial.broken]
        if self._errand.only:
            wanted = self._errand.only if self._errand.only in broken else ""
        else:
            musts = [one for one in broken if one in self._errand.musts]
            wanted = next(filter(self._claim, musts), "")
        if wanted:
            self._tell(Sighted(requirement=wanted))
        return wanted

    def _claim(self, requirement: str) -> bool:
        """Whether it is this worker's to make small: each requirement is, once."""
        if not self._errand.shrink:
            return True
        flag = self._out / "caught" / requirement.replace("/", "-")
        flag.parent.mkdir(parents=True, exist_ok=True)
        try:
            flag.touch(exist_ok=False)
        except FileExistsError:
            return False
        return True

    def _history(self, name: str) -> Path:
        return self._out / "histories" / f"{name}.jsonl"

    def _caught(self, find: Find) -> None:
        """Run what was found once more, and tell of it."""
        trial = find.trial
        if self._errand.shrink:
            name = case_name(trial.schedule).removesuffix(".json")
            again = self._trials.run(trial.schedule, path=self._history(name))
        else:
            again = trial
        first = next(o for o in trial.broken if o.requirement == find.requirement)
        found = Found(requirement=find.requirement, sentence=first.sentence)
        musts = [o.requirement for o in trial.broken if o is not first]
        also = tuple(one for one in musts if one in self._errand.musts)
        for requirement in also:
            self._claim(requirement)
        self._tell(
            Caught(
                schedule=msgspec.structs.replace(trial.schedule, found=found),
                found=found,
                also=also,
                runs=self._runs,
                again=find.requirement in {one.requirement for one in again.broken},
            )
        )
