"""Pieces of the sim arm by themselves: a life on a loop, and an app from its source."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import httpx
import msgspec

from harness.case import Case, _header
from harness.client.transport import BackendTransport
from harness.core.codec import load
from harness.core.fault import Close
from harness.core.history import Life as LifeRecord
from harness.core.recorder import Recorder
from harness.core.target import App, Target, load_target
from harness.options import find_target
from harness.sim.arm import SimArm
from harness.sim.chance import seed_chance
from harness.sim.clock import wall_clock
from harness.sim.life import Life
from harness.sim.loop import SimLoop
from harness.sim.process import simulated
from harness.sim.server import SimServer

T = TypeVar("T")
Main = Callable[[], Coroutine[Any, Any, T]]


def ours(main: Main[T]) -> T:
    """Run something of the harness's on a loop of its own."""
    with wall_clock() as shift:
        loop = SimLoop(on_time=shift)  # type: ignore[abstract]
        result: T = loop.run_until_complete(main())
        loop.close()
    return result


def theirs(main: Main[T], *, number: int = 1, told: list[str] | None = None) -> T:
    """Run something as a target, in the life of this number."""
    life = Life(number, seed="bench")

    async def case() -> T:
        loop = asyncio.get_running_loop()
        refused = [] if told is None else told
        with simulated(refused.append):
            life.context.run(seed_chance, life)
            return await loop.create_task(main(), context=life.context)

    return ours(case)


def case_of(target: Target) -> Case:
    """A case without a scenario's marks."""
    return Case(
        scenario="bench",
        title="Bench",
        requirements=(),
        target=target,
        profile="broadcast",
        arm="sim",
        seed=0,
    )


def target_of(app: App) -> Target:
    """The reference's target file, with another application."""
    reference = load_target(find_target("reference"))
    return msgspec.structs.replace(reference, app=app)


@dataclass(frozen=True, slots=True)
class Bench:
    """A simulated server, and a client of it that knows no faults."""

    server: SimServer
    http: httpx.AsyncClient
    folder: Path

    async def get(self, path: str = "/") -> str:
        """The body of an answer."""
        return (await self.http.get(f"http://host{path}")).text

    @property
    def network(self) -> Any:
        return self.server._network

    @property
    def data(self) -> Path:
        return self.server._data.path

    def log(self) -> str:
        """What the target printed."""
        file = self.folder / "target.log"
        return file.read_text() if file.exists() else ""


def hosted(
    folder: Path,
    source: str,
    play: Callable[[Bench], Awaitable[T]],
    *,
    stuck_s: float = 10.0,
    **app: Any,
) -> T:
    """Write the source of `app` to `folder`, and play with a server that hosts it."""
    (folder / "probe.py").write_text(source)
    target = target_of(App(app="probe:app", folder=str(folder), **app))
    arm = SimArm(stuck_s=stuck_s)
    played: list[T] = []
    case = case_of(msgspec.structs.replace(target, ready="/"))

    async def main() -> None:
        clock = asyncio.get_running_loop().time
        recorder = Recorder(folder / "history.jsonl", _header(case, arm), clock)
        try:
            async with arm.bounded(case), arm.world(case, recorder, folder) as world:
                server: Any = world._server
                link = server._network.link(direct=True, close=Close.FIN)
                transport = BackendTransport(link.calls)
                async with httpx.AsyncClient(transport=transport, timeout=None) as http:
                    try:
                        played.append(await play(Bench(server, http, folder)))
                    finally:
                        await world.aclose()
        finally:
            recorder.close()

    arm.run(main())
    return played[0]


def lives(folder: Path) -> list[tuple[int, str, int | None]]:
    """What the history says of the server's lives."""
    records = load(folder / "history.jsonl").records
    return [
        (one.life, str(one.phase), one.status)
        for one in records
        if isinstance(one, LifeRecord)
    ]


ANSWER = """
async def answer(send, text, status=200):
    headers = [(b"content-type", b"text/plain; charset=utf-8")]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": str(text).encode()})

def serves(handle, startup=None, shutdown=None):
    async def app(scope, receive, send):
        if scope["type"] == "lifespan":
            await receive()
            if startup: await startup()
            await send({"type": "lifespan.startup.complete"})
            await receive()
            if shutdown: await shutdown()
            await send({"type": "lifespan.shutdown.complete"})
        elif scope["path"] == "/":
            await answer(send, "ready")
        else:
            await handle(scope, receive, send)
    return app
"""
"""The head of a source: `app = serves(handle)` makes an application of a function."""
