"""What a hunt makes of the reports of its workers."""

from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from harness.chaos.worker import Caught, Report, Said, Sighted
from harness.commands import chaos as command
from harness.commands.chaos import Hunt
from harness.core.errors import CouldNotRun
from harness.core.schedule import Found
from tests.chaos.samples import schedule

SLUG = "reset/evicted"
FOUND = Found(requirement=SLUG, sentence="s")
CAUGHT = Caught(schedule=schedule(), found=FOUND, also=(), runs=1, again=True)


class Workers:
    """A pool whose workers say what they are told to say; `ended` are not to go on."""

    def __init__(self, *said: tuple[int, Said] | None) -> None:
        self.ended: set[int] = set()
        self._said = said

    def __call__(self, *_: Any, **__: Any) -> "Workers":
        return self

    def __enter__(self) -> "Workers":
        return self

    def __exit__(self, *_: object) -> None:
        """Nothing runs."""

    def reports(self) -> Iterator[Report | None]:
        for one in self._said:
            yield one and Report(worker=one[0], mutant="", what=one[1])

    def end_all_but(self, kept: Collection[int]) -> None:
        self.ended |= {0, 1} - set(kept)

    def keep(self, number: int) -> None:
        self.ended.discard(number)


def hunt(
    workers: Workers, folder: Path, patch: pytest.MonkeyPatch, **options: Any
) -> Hunt:
    patch.setattr(command, "Pool", workers)
    made = Hunt(folder, Console(quiet=True), edges={}, **options)
    made.carry_out([])
    return made


def test_a_find_sighted_when_the_time_is_up_is_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    workers = Workers(None, (0, Sighted(requirement=SLUG)), None, (0, CAUGHT))
    done = hunt(workers, tmp_path, monkeypatch, within_s=0.0, stops=False)
    assert workers.ended == {0, 1}  # in the end
    assert done.tell(verbose=False) == 1
    workers = Workers(None, (0, Sighted(requirement=SLUG)))
    with pytest.raises(CouldNotRun, match="a find was lost"):
        hunt(workers, tmp_path, monkeypatch, within_s=0.0, stops=False)
    assert workers.ended == {1}


def test_the_first_to_sight_one_is_followed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = Sighted(requirement="reset/once")
    workers = Workers((1, Sighted(requirement=SLUG)), (0, other), (1, CAUGHT))
    done = hunt(workers, tmp_path, monkeypatch, within_s=None, stops=True)
    assert workers.ended == {0}
    assert [one.found for one in done.finds] == [FOUND]
