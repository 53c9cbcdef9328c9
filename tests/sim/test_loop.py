"""The loop in virtual time: order, clock, calls in worker threads, generators."""

import asyncio
import time
from collections.abc import AsyncIterator

import anyio.to_thread
import pytest
from starlette.concurrency import run_in_threadpool

from harness.core.errors import CouldNotRun
from harness.sim.loop import CALL_S
from tests.sim.bench import Bench, hosted, ours, theirs


def test_time_is_virtual() -> None:
    async def main() -> float:
        await asyncio.sleep(3_600)
        return asyncio.get_running_loop().time()

    began = time.perf_counter()
    assert ours(main) == 3_600
    assert time.perf_counter() - began < 1


def test_what_is_due_at_the_same_time_runs_in_the_order_of_scheduling() -> None:
    async def main() -> list[int]:
        loop = asyncio.get_running_loop()
        ran: list[int] = []
        for number in range(50):
            loop.call_at(1.0, ran.append, number)
        loop.call_later(0.5, ran.append, -1)
        cancelled = loop.call_later(0.7, ran.append, -2)
        cancelled.cancel()
        assert cancelled.cancelled()
        loop.call_soon(ran.append, -3)
        await asyncio.sleep(2)
        return ran

    assert ours(main) == [-3, -1, *range(50)]


def test_timers_of_the_past_run_now() -> None:
    async def main() -> float:
        loop = asyncio.get_running_loop()
        await asyncio.sleep(5)
        done = loop.create_future()
        loop.call_at(1.0, done.set_result, None)
        await done
        return loop.time()

    assert ours(main) == 5


async def _in_executor(call: object) -> object:
    return await asyncio.get_running_loop().run_in_executor(None, call)  # type: ignore[arg-type]


async def _with_anyio(call: object) -> object:
    return await anyio.to_thread.run_sync(call)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "way", [_in_executor, asyncio.to_thread, _with_anyio, run_in_threadpool]
)
def test_a_call_in_a_thread_is_made_at_once_and_answers_later(way: object) -> None:
    async def main() -> tuple[list[float], float]:
        loop = asyncio.get_running_loop()
        called: list[float] = []
        await way(lambda: called.append(loop.time()))  # type: ignore[operator]
        return called, loop.time()

    called, answered_s = theirs(main)
    assert called == [0.0]
    assert CALL_S[0] <= answered_s <= CALL_S[1]


def test_starlettes_sync_endpoints_are_calls_in_a_thread(tmp_path: object) -> None:
    source = """
import threading, time
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route

def sync(request):
    time.sleep(3)
    return PlainTextResponse(threading.current_thread().name)

async def ready(request):
    return PlainTextResponse("ready")

app = Starlette(routes=[Route("/", ready), Route("/sync", sync)])
"""

    async def play(bench: Bench) -> tuple[str, float, float]:
        await bench.server.start()
        loop = asyncio.get_running_loop()
        began = loop.time()
        slow = asyncio.create_task(bench.get("/sync"))
        await asyncio.sleep(0.1)
        await bench.get()
        ready_s = loop.time() - began
        return await slow, ready_s, loop.time() - began

    name, ready_s, slow_s = hosted(tmp_path, source, play)  # type: ignore[arg-type]
    assert name == "MainThread"
    assert ready_s < 1 < 3 < slow_s < 3.1


@pytest.mark.parametrize(
    ("error", "seen"),
    [
        (ValueError("bad"), ValueError),
        (StopIteration(), RuntimeError),
        (asyncio.CancelledError(), asyncio.CancelledError),
    ],
)
def test_an_error_in_a_thread_is_the_callers(
    error: BaseException, seen: type[BaseException]
) -> None:
    def fails() -> None:
        time.sleep(2)
        raise error

    async def main() -> float:
        loop = asyncio.get_running_loop()
        with pytest.raises(seen):
            await asyncio.to_thread(fails)
        return loop.time()

    assert 2 < theirs(main) < 2.1


def test_a_call_whose_caller_has_gone_is_no_trouble() -> None:
    async def main() -> None:
        task = asyncio.create_task(asyncio.to_thread(int))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await asyncio.sleep(1)

    ours(main)


def test_sets_of_tasks_have_one_order() -> None:
    async def main() -> list[str]:
        tasks = {
            asyncio.create_task(asyncio.sleep(1), name=f"{number}")
            for number in range(30)
        }
        done, _ = await asyncio.wait(tasks)
        return [task.get_name() for task in done]

    assert ours(main) == ours(main)


def test_an_abandoned_generator_is_closed_on_the_loop() -> None:
    closed: list[float] = []

    async def numbers() -> AsyncIterator[int]:
        try:
            yield 1
            yield 2
        finally:
            await asyncio.sleep(3)
            closed.append(asyncio.get_running_loop().time())

    async def main() -> None:
        async for _ in numbers():
            break
        await asyncio.sleep(10)

    ours(main)
    assert closed == [3]


def test_only_a_server_can_listen() -> None:
    async def main() -> None:
        await asyncio.start_server(lambda *_: None, "127.0.0.1", 0)

    with pytest.raises(CouldNotRun, match="only a simulated server"):
        ours(main)


def test_a_loop_that_is_asked_for_its_handlers_answers() -> None:
    async def main() -> list[dict[str, object]]:
        loop = asyncio.get_running_loop()
        seen: list[dict[str, object]] = []
        assert loop.get_exception_handler() is None
        loop.set_exception_handler(lambda _, context: seen.append(context))
        loop.set_debug(True)
        assert not loop.get_debug()
        assert loop.get_exception_handler() is not None
        loop.call_soon(lambda: 1 / 0)
        await asyncio.sleep(1)
        return seen

    seen = theirs(main)
    assert [type(one["exception"]) for one in seen] == [ZeroDivisionError]
