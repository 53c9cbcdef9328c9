"""A killed life does nothing any more; a told one ends as its handlers say."""

import asyncio
from pathlib import Path

import pytest

from harness.arm import How
from harness.core.errors import CouldNotRun
from tests.sim.bench import ANSWER, Bench, hosted, lives

FENCED = f"""{ANSWER}
import asyncio, os, pathlib

HERE = pathlib.Path(os.environ["DATA"])

async def handle(scope, receive, send):
    if scope["path"] == "/left":
        await answer(send, " ".join(sorted(one.name for one in HERE.iterdir())))
        return
    (HERE / "begun").touch()
    try:
        await asyncio.sleep(1)
        (HERE / "went-on").touch()
    finally:
        (HERE / "repaired").touch()

async def background():
    try:
        while True:
            await asyncio.sleep(0.05)
    finally:
        (HERE / "cleaned").touch()

tasks = []

async def startup():
    tasks.append(asyncio.create_task(background()))

app = serves(handle, startup)
"""
DATA = {"DATA": "{data}"}


async def _stopped(bench: Bench, how: How) -> str:
    await bench.server.start()
    asking = asyncio.create_task(bench.get("/deed"))
    await asyncio.sleep(0.5)
    await bench.server.stop(how)
    await asyncio.gather(asking, return_exceptions=True)
    await asyncio.sleep(10)
    await bench.server.start()
    return await bench.get("/left")


def test_a_kill_repairs_nothing(tmp_path: Path) -> None:
    left = hosted(tmp_path, FENCED, lambda bench: _stopped(bench, How.KILL), env=DATA)
    assert left == "begun"
    assert (1, "exited", -9) in lives(tmp_path)


def test_a_term_lets_requests_end(tmp_path: Path) -> None:
    left = hosted(tmp_path, FENCED, lambda bench: _stopped(bench, How.TERM), env=DATA)
    assert left == "begun repaired went-on"


def test_who_outlasts_its_term_is_killed(tmp_path: Path) -> None:
    left = hosted(
        tmp_path,
        FENCED.replace("sleep(1)", "sleep(100)"),
        lambda bench: _stopped(bench, How.TERM),
        env=DATA,
        stop_within_s=2,
    )
    assert left == "begun"
    assert (1, "exited", -9) in lives(tmp_path)


def test_each_life_has_modules_of_its_own(tmp_path: Path) -> None:
    (tmp_path / "shelf.py").write_text("served = []")
    source = f"""{ANSWER}
import shelf

async def handle(scope, receive, send):
    shelf.served.append(1)
    await answer(send, len(shelf.served))

app = serves(handle)
"""

    async def play(bench: Bench) -> list[str]:
        await bench.server.start()
        counts = [await bench.get("/count"), await bench.get("/count")]
        await bench.server.stop(How.KILL)
        await bench.server.start()
        return [*counts, await bench.get("/count")]

    assert hosted(tmp_path, source, play) == ["1", "2", "1"]


def test_a_frozen_life_goes_on_later(tmp_path: Path) -> None:
    source = f"""{ANSWER}
async def handle(scope, receive, send):
    await answer(send, "late")

app = serves(handle)
"""

    async def play(bench: Bench) -> tuple[bool, str, float]:
        await bench.server.start()
        await bench.server.pause()
        began = asyncio.get_running_loop().time()
        asking = asyncio.create_task(bench.get("/x"))
        await asyncio.sleep(30)
        early = asking.done()
        await bench.server.resume()
        text = await asking
        return early, text, asyncio.get_running_loop().time() - began

    early, text, took_s = hosted(tmp_path, source, play)
    assert (early, text) == (False, "late")
    assert 30 <= took_s < 31


@pytest.mark.parametrize(
    ("ending", "status"),
    [
        ("import os; os._exit(7)", 7),
        ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", -9),
        ("import os; os.abort()", -6),
        ("raise SystemExit(4)", 4),
    ],
)
def test_a_target_that_ends_itself_has_died(
    ending: str, status: int, tmp_path: Path
) -> None:
    source = f"""{ANSWER}
import asyncio

async def end():
    {ending}

async def handle(scope, receive, send):
    asyncio.get_running_loop().create_task(end())
    await asyncio.sleep(5)

app = serves(handle)
"""

    async def play(bench: Bench) -> bool:
        await bench.server.start()
        await asyncio.gather(bench.get("/end"), return_exceptions=True)
        return bench.server.up

    assert hosted(tmp_path, source, play) is False
    assert (1, "exited", status) in lives(tmp_path)


STARLETTE = """
from contextlib import asynccontextmanager
from starlette.applications import Starlette

@asynccontextmanager
async def lifespan(app):
    {}
    yield

app = Starlette(lifespan=lifespan)
"""
BROKEN = {
    "raise ImportError('no spare part')": "no spare part",
    "app = 5": "is int, no ASGI application",
    STARLETTE.format("raise OSError('no cellar')"): "no cellar",
    STARLETTE.format("pass"): "status 404",
    "this is no Python": "SyntaxError",
    "import no_such_module": "no_such_module",
    "": "has no attribute 'app'",
}


@pytest.mark.parametrize("source", BROKEN)
def test_an_application_that_cannot_start_could_not_be_run(
    source: str, tmp_path: Path
) -> None:
    async def play(bench: Bench) -> None:
        await bench.server.start()

    with pytest.raises(CouldNotRun, match=BROKEN[source]):
        hosted(tmp_path, source, play)


def test_what_is_sent_to_a_dead_connection_harms_nobody(tmp_path: Path) -> None:
    source = f"""{ANSWER}
import asyncio

async def flood(send):
    while True:
        part = {{"type": "http.response.body", "body": b"x" * 900, "more_body": True}}
        await send(part)
        await asyncio.sleep(0.01)

async def handle(scope, receive, send):
    if scope["path"] == "/flood":
        start = {{"type": "http.response.start", "status": 200, "headers": []}}
        await send(start)
        asyncio.create_task(flood(send))
        await asyncio.sleep(3600)
    await answer(send, "still here")

app = serves(handle)
"""

    async def play(bench: Bench) -> str:
        await bench.server.start()
        async with bench.http.stream("GET", "http://host/flood") as response:
            async for _ in response.aiter_bytes():
                break
        await asyncio.sleep(60)
        return await bench.get("/x")

    assert hosted(tmp_path, source, play) == "still here"
