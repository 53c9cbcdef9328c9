"""What cannot be simulated is refused: the message says what the target did."""

from pathlib import Path

import pytest

from harness.core.errors import CouldNotRun
from tests.sim.bench import ANSWER, Bench, hosted

DEEDS = {
    "connected a socket": (
        "import socket\n"
        "    with socket.socket() as one: one.connect(('127.0.0.1', 9))"
    ),
    "bound a socket": (
        "import socket\n"
        "    with socket.socket() as one: one.bind(('127.0.0.1', 0))"
    ),
    "sent to the address": (
        "import socket\n"
        "    with socket.socket(type=socket.SOCK_DGRAM) as one:\n"
        "        one.sendto(b'x', ('127.0.0.1', 9))"
    ),
    "looked up the host": "import socket; socket.getaddrinfo('localhost', 80)",
    "started the program": "import subprocess; subprocess.run(['true'])",
    "ran the command": "import os; os.system('true')",
    "forked": "import os; os.fork()",
    "sent a signal to process": "import os; os.kill(os.getppid(), 15)",
    "started the thread": "import threading; threading.Thread(target=print).start()",
    "called loop.create_connection": (
        "import asyncio\n"
        "    await asyncio.open_connection('127.0.0.1', 9)"
    ),
    "called loop.subprocess_exec": (
        "import asyncio\n"
        "    await asyncio.create_subprocess_exec('true')"
    ),
    "set an alarm": "import signal; signal.alarm(1)",
    "listened on port 9": (
        "import asyncio\n"
        "    await asyncio.start_server(print, '127.0.0.1', 9)"
    ),
    "multiprocessing": (
        "import multiprocessing\n"
        "    multiprocessing.get_context('spawn').Process(target=print).start()"
    ),
}  # fmt: skip
SAID = {"multiprocessing": "started the program"}


@pytest.mark.parametrize("deed", DEEDS)
def test_the_case_could_not_be_run(deed: str, tmp_path: Path) -> None:
    source = f"""{ANSWER}
async def handle(scope, receive, send):
    {DEEDS[deed]}
    await answer(send, "done")

app = serves(handle)
"""

    async def play(bench: Bench) -> str:
        await bench.server.start()
        return await bench.get("/deed")

    said = f"the target {SAID.get(deed, deed)}.*--arm live"
    with pytest.raises(CouldNotRun, match=said):
        hosted(tmp_path, source, play)


def test_a_target_that_swallows_the_refusal_could_not_be_run_either(
    tmp_path: Path,
) -> None:
    source = f"""{ANSWER}
import threading

async def handle(scope, receive, send):
    try:
        threading.Thread(target=print).start()
    except BaseException:
        pass
    await answer(send, "fine")

app = serves(handle)
"""

    async def play(bench: Bench) -> str:
        await bench.server.start()
        return await bench.get("/deed")

    with pytest.raises(CouldNotRun, match="started the thread"):
        hosted(tmp_path, source, play)
