"""Waits are bounded, by time in which the harness itself was not late."""

import asyncio
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.core.errors import HarnessError, Unreached
from harness.core.history import Lag, Note
from harness.core.recorder import Recorder
from harness.waiter import LAG_S, TICK_S, Waiter
from tests.core.records import header

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def recorder(tmp_path: Path) -> Iterator[Recorder]:
    recorder = Recorder(tmp_path / "h.jsonl", header(), time.monotonic)
    yield recorder
    recorder.close()


def never() -> bool:
    return False


def fine() -> bool:
    return False


async def test_what_never_holds_is_unreached(recorder: Recorder) -> None:
    began = time.monotonic()
    with pytest.raises(Unreached, match=r"^not within 0.2 s: pigs fly$"):
        await Waiter(recorder, fine).until(never, "pigs fly", within_s=0.2)
    assert time.monotonic() - began >= 0.2


async def test_a_blocked_loop_is_not_counted(recorder: Recorder) -> None:
    """The condition gets its looks, however late the harness is."""
    looks = 0

    def condition() -> bool:
        nonlocal looks
        looks += 1
        time.sleep(0.15)  # three times the bound in one look
        return looks == 4

    waiter = Waiter(recorder, fine)
    await waiter.until(condition, "the fourth look", within_s=0.05 + 3 * TICK_S)
    assert looks == 4


async def test_a_block_longer_than_the_bound_ends_no_wait(recorder: Recorder) -> None:
    loop = asyncio.get_running_loop()
    done: list[int] = []
    loop.call_soon(time.sleep, 0.5)
    loop.call_later(0.6, done.append, 1)
    waiter = Waiter(recorder, fine)
    await waiter.until(lambda: bool(done), "after the block", within_s=0.4)


async def test_a_record_wakes_at_once(
    recorder: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("harness.waiter.TICK_S", 30.0)
    waiter = Waiter(recorder, fine)

    def noted() -> int:
        return len(recorder.records)

    async with asyncio.timeout(5):
        waits = [
            asyncio.create_task(waiter.until(lambda n=n: noted() >= n, "noted"))
            for n in (1, 2, 2)
        ]
        await asyncio.sleep(0)
        for number in (1, 2):
            recorder.add(Note, text=str(number))
            await waits[number - 1]
        await asyncio.gather(*waits)


async def test_a_tick_looks_without_a_record(recorder: Recorder) -> None:
    holds: list[int] = []
    asyncio.get_running_loop().call_later(0.02, holds.append, 1)
    await Waiter(recorder, fine).until(lambda: bool(holds), "it", within_s=5)


async def test_what_holds_already_is_not_checked(recorder: Recorder) -> None:
    def broken() -> bool:
        raise HarnessError("a client died")

    waiter = Waiter(recorder, broken)
    await waiter.until(lambda: True, "it", within_s=0)
    with pytest.raises(HarnessError, match="a client died"):
        await waiter.until(never, "it")


async def test_a_hopeless_wait_ends_at_once(recorder: Recorder) -> None:
    waiter = Waiter(recorder, lambda: True)
    async with asyncio.timeout(5):
        with pytest.raises(Unreached):
            await waiter.until(never, "it", within_s=600)
        assert not await waiter.comes_about(never, 600)


async def test_lag_is_recorded(recorder: Recorder) -> None:
    probe = asyncio.create_task(Waiter(recorder, fine).probe_lag())
    await asyncio.sleep(0.01)
    asyncio.get_running_loop().call_soon(time.sleep, 0.3)
    async with asyncio.timeout(5):
        while not recorder.records:
            await asyncio.sleep(0.01)
    probe.cancel()
    await asyncio.gather(probe, return_exceptions=True)
    (lag, *_) = recorder.records
    assert isinstance(lag, Lag)
    assert lag.lag_s >= max(LAG_S, 0.2)


async def test_lag_at_the_very_end_is_recorded(recorder: Recorder) -> None:
    probe = asyncio.create_task(Waiter(recorder, fine).probe_lag())
    await asyncio.sleep(0)
    time.sleep(0.3)  # noqa: ASYNC251 - the loop is to be late
    probe.cancel()
    await asyncio.gather(probe, return_exceptions=True)
    assert [type(one) for one in recorder.records] == [Lag]


@pytest.mark.parametrize(
    ("lags", "least_s"), [([], 0.1), ([0.03], 0.19), ([0.01, 0.02], 0.18), ([9.0], 0.2)]
)
async def test_outlasting_takes_as_much_longer_as_the_harness_was_late(
    recorder: Recorder, lags: list[float], least_s: float
) -> None:
    waiter = Waiter(recorder, lambda: False)
    waiter._lags = [recorder.add(Lag, lag_s=lag) for lag in lags]
    began = recorder.now()
    await waiter.outlasts(0.1)
    assert least_s <= recorder.now() - began


async def test_lags_long_before_count_by_the_worst_alone(recorder: Recorder) -> None:
    waiter = Waiter(recorder, lambda: False)
    waiter._lags = [Lag(n=1, t_s=recorder.now() - 2, lag_s=0.2) for _ in range(9)]
    began = recorder.now()
    await waiter.outlasts(0.3)
    assert 0.5 <= recorder.now() - began < 0.6  # 0.6: were they all counted


async def test_outlasting_is_counted_from_where_one_says(recorder: Recorder) -> None:
    began = recorder.now()
    await Waiter(recorder, lambda: False).outlasts(0.3, since_s=began - 0.2)
    assert 0.1 <= recorder.now() - began < 0.3


async def test_who_is_late_already_is_doubted_all_the_same(recorder: Recorder) -> None:
    waiter = Waiter(recorder, lambda: False)
    waiter._lags = [recorder.add(Lag, lag_s=0.1)]
    began = recorder.now()
    await waiter.outlasts(0.3, since_s=began - 0.35)
    assert recorder.now() - began >= 0.24
