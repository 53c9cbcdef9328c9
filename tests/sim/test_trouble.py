"""Trouble of the simulation: said with names and places, and cleaned up after."""

import asyncio
import contextlib
import os
import threading
import time
from pathlib import Path

import pytest

from harness.core.errors import CouldNotRun
from harness.core.target import App
from harness.sim import data, loop
from harness.sim.arm import SimArm
from harness.world import World
from tests.sim.bench import ANSWER, Bench, case_of, hosted, target_of


def bounded(main: object) -> None:
    """Run it as a case is run."""
    arm = SimArm()
    case = case_of(target_of(App(app="never:loaded")))

    async def run() -> None:
        async with arm.bounded(case):
            await main()  # type: ignore[operator]

    arm.run(run())


async def waits_for_ever() -> None:
    await asyncio.get_running_loop().create_future()


def test_a_deadlock_says_who_waits_where() -> None:
    async def main() -> None:
        other = asyncio.create_task(asyncio.Event().wait(), name="other")
        await asyncio.gather(other, waits_for_ever())

    with pytest.raises(CouldNotRun) as caught:
        bounded(main)
    said = str(caught.value)
    assert said.startswith("deadlock: nothing can happen any more")
    assert "other of the harness waits in Event.wait (asyncio/locks.py:213)" in said
    assert "waits in waits_for_ever (sim/test_trouble.py:" in said


def test_what_cleans_up_after_a_deadlock_may_take_time() -> None:
    cleaned: list[float] = []

    async def main() -> None:
        try:
            await waits_for_ever()
        finally:
            await asyncio.sleep(1)
            cleaned.append(asyncio.get_running_loop().time())

    with pytest.raises(CouldNotRun, match="deadlock"):
        bounded(main)
    assert cleaned == [1]


def test_a_deadlock_while_cleaning_up_ends_too() -> None:
    async def main() -> None:
        try:
            await waits_for_ever()
        finally:
            await waits_for_ever()

    with pytest.raises(CouldNotRun, match="deadlock"):
        bounded(main)


def test_what_will_not_end_is_given_up() -> None:
    async def main() -> None:
        while True:
            try:
                await waits_for_ever()
            except asyncio.CancelledError:
                continue

    with pytest.raises(CouldNotRun, match="deadlock"):
        bounded(main)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("STEPS_AT_ONCE", "busy loop: 1000 steps"),
        ("MAX_STEPS", "more than 1000 steps"),
    ],
)
def test_a_busy_loop(monkeypatch: pytest.MonkeyPatch, name: str, said: str) -> None:
    monkeypatch.setattr(loop, name, 1_000)

    async def main() -> None:
        while True:
            await asyncio.sleep(0)

    said = (
        "busy loop: 1000 steps" if name == "STEPS_AT_ONCE" else "more than 1000 steps"
    )
    with pytest.raises(CouldNotRun, match=said) as caught:
        bounded(main)
    assert "test_a_busy_loop" in str(caught.value)


def test_many_steps_in_many_instants_are_no_busy_loop(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(loop, "STEPS_AT_ONCE", 100)

    async def main() -> None:
        for _ in range(500):
            await asyncio.sleep(0.001)

    bounded(main)


def test_virtual_time_is_limited() -> None:
    async def main() -> None:
        while True:
            await asyncio.sleep(60)

    with pytest.raises(CouldNotRun, match="14400 virtual seconds have passed"):
        bounded(main)


def test_tasks_that_were_left_are_ended() -> None:
    ended: list[str] = []

    async def lasts() -> None:
        try:
            await waits_for_ever()
        finally:
            ended.append("lasts")

    async def main() -> None:
        task = asyncio.create_task(lasts())
        await asyncio.sleep(1)
        assert not task.done()

    bounded(main)
    assert ended == ["lasts"]


def test_an_interrupt_by_the_user_cleans_up_and_goes_on() -> None:
    ended: list[str] = []

    def interrupt() -> None:
        raise KeyboardInterrupt

    async def main() -> None:
        asyncio.get_running_loop().call_later(1, interrupt)
        try:
            await waits_for_ever()
        finally:
            await asyncio.sleep(1)
            ended.append("main")

    with pytest.raises(KeyboardInterrupt):
        bounded(main)
    assert ended == ["main"]


def test_an_error_of_the_harness_in_a_callback_is_never_hidden() -> None:
    async def main() -> None:
        asyncio.get_running_loop().call_soon(lambda: 1 / 0)
        await asyncio.sleep(1)

    with pytest.raises(CouldNotRun, match="harness broke down: ZeroDivisionError"):
        bounded(main)


def test_an_error_of_a_task_that_nobody_waits_for_is_never_hidden() -> None:
    async def fails() -> None:
        raise ZeroDivisionError("unnoticed")

    async def main() -> None:
        task = asyncio.create_task(fails())
        await asyncio.sleep(1)
        del task
        await asyncio.sleep(1)

    with pytest.raises(CouldNotRun, match=r"broke down: .*unnoticed"):
        bounded(main)


def test_trouble_beats_whatever_else_came_of_it() -> None:
    async def main() -> None:
        try:
            await waits_for_ever()
        except asyncio.CancelledError as error:
            raise ValueError("of it") from error

    with pytest.raises(CouldNotRun, match="deadlock"):
        bounded(main)


APP = (
    ANSWER
    + """
async def handle(scope, receive, send):
    await answer(send, "ok")
app = serves(handle)
"""
)


def left_over() -> list[Path]:
    base = Path("/dev/shm") if Path("/dev/shm").exists() else Path("/tmp")
    return list(base.glob(f"{data.PREFIX}{os.getpid()}-*"))


def test_no_data_is_left_when_a_world_cannot_be_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise ZeroDivisionError

    async def play(_: Bench) -> None:
        raise AssertionError

    before, sleep = threading.active_count(), time.sleep
    monkeypatch.setattr(World, "__init__", broken)
    with pytest.raises(ZeroDivisionError):
        hosted(tmp_path, APP, play)
    assert (left_over(), threading.active_count()) == ([], before)
    assert time.sleep is sleep


def test_no_data_is_left_when_the_loop_gives_up(tmp_path: Path) -> None:
    async def play(bench: Bench) -> None:
        await bench.server.start()
        assert left_over()
        for _ in range(5):
            with contextlib.suppress(asyncio.CancelledError):
                await waits_for_ever()

    monotonic = time.monotonic
    with pytest.raises(CouldNotRun):
        hosted(tmp_path, APP, play)
    assert left_over() == []
    assert time.monotonic is monotonic


def test_the_traceback_of_an_error_of_the_harness_is_kept(tmp_path: Path) -> None:
    async def play(bench: Bench) -> None:
        await bench.server.start()
        asyncio.get_running_loop().call_soon(lambda: 1 / 0)
        await asyncio.sleep(1)

    with pytest.raises(CouldNotRun, match="ZeroDivisionError"):
        hosted(tmp_path, APP, play)
    assert "test_trouble.py" in (tmp_path / "traceback.txt").read_text()
