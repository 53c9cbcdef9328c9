"""A target that does not give control back ends its case, not the run."""

import signal
import threading
from pathlib import Path

import pytest

from harness.core.errors import CouldNotRun
from harness.sim.stuck import SIGNAL
from tests.sim.bench import ANSWER, Bench, hosted

SPINS = {
    "a loop": "while True: pass",
    "a deaf loop": (
        "while True:\n"
        "        try:\n"
        "            while True: pass\n"
        "        except BaseException as error:\n"
        "            caught.append(error)\n"
        "            if len(caught) > 1: raise"
    ),
    "a lock": "import threading; one = threading.Lock(); [one.acquire() for _ in '12']",
    "a queue": "import queue; queue.Queue().get()",
}


@pytest.mark.parametrize("spin", SPINS)
def test_the_case_ends_and_says_where(spin: str, tmp_path: Path) -> None:
    source = f"""{ANSWER}
caught = []

async def handle(scope, receive, send):
    {SPINS[spin]}

app = serves(handle)
"""

    async def play(bench: Bench) -> str:
        await bench.server.start()
        return await bench.get("/spin")

    before, threads = signal.getsignal(SIGNAL), threading.active_count()
    with pytest.raises(CouldNotRun, match=r"did not give control back.*handle"):
        hosted(tmp_path, source, play, stuck_s=0.3)
    assert signal.getsignal(SIGNAL) is before
    assert threading.active_count() == threads


def test_a_loop_that_yields_but_never_waits_is_told(tmp_path: Path) -> None:
    source = f"""{ANSWER}
import asyncio

async def handle(scope, receive, send):
    while True:
        await asyncio.sleep(0)

app = serves(handle)
"""

    async def play(bench: Bench) -> str:
        await bench.server.start()
        return await bench.get("/spin")

    with pytest.raises(CouldNotRun, match=r"busy loop.*handle"):
        hosted(tmp_path, source, play)


def test_sleeping_takes_virtual_time_only(tmp_path: Path) -> None:
    source = f"""{ANSWER}
import time

async def handle(scope, receive, send):
    began = time.monotonic()
    time.sleep(3600)
    await answer(send, round(time.monotonic() - began))

app = serves(handle)
"""

    async def play(bench: Bench) -> str:
        await bench.server.start()
        return await bench.get("/sleep")

    assert hosted(tmp_path, source, play) == "3600"
