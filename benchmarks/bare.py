"""The target's stack alone: the same app under uvicorn's h11 protocol, no simulator.

It hears what a server of the sim arm has heard, byte for byte, on a plain transport in
memory and an ordinary asyncio loop; worker threads' calls are made inline there, too.
Its chance is seeded as that server's, so that ids and cursors are the same, and with
them every byte that it says.
"""

import asyncio
import os
import selectors
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any
from unittest.mock import patch

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.server import ServerState

from benchmarks.standard import APP, PROFILE, SEED, target
from benchmarks.tape import Heard, Tape
from harness.core.target import fill, values_of
from harness.sim import chance
from harness.sim.data import Data
from harness.sim.life import Life


class Bare:
    """Plays a tape to a server of its own, in a data folder of its own."""

    def __init__(self, tape: Tape) -> None:
        self._tape = tape

    def run(self) -> None:
        """Once, from an empty folder to the end of the tape.

        Raises `AssertionError` when it says more or less than the other server did.
        """
        data = Data()
        data.empty()
        life = Life(1, seed=SEED)
        try:
            with ExitStack() as stack:
                stack.enter_context(patch.dict(os.environ, _environment(data)))
                for owner, name, replacement in chance.REPLACEMENTS:
                    stack.enter_context(patch.object(owner, name, replacement))
                life.context.run(self._play, life)
        finally:
            data.remove()

    def _play(self, life: Life) -> None:
        chance.seed_chance(life)
        player = _Player(iter(self._tape.heard))
        with asyncio.Runner(loop_factory=lambda: _Loop(player)) as runner:
            said = runner.run(player.play())
        assert said == self._tape.said, f"{said} bytes, not {self._tape.said}"


def _environment(data: Data) -> dict[str, str]:
    """The settings of the app, as the sim arm fills them in."""
    reference = target()
    values = values_of(reference, PROFILE) | {
        "data": str(data.path),
        "host": "127.0.0.1",
        "port": 8_000,
    }
    filled = fill(tuple(APP.env.values()), values, name=reference.name)
    return dict(zip(APP.env, filled, strict=True))


class _Loop(asyncio.SelectorEventLoop):
    """asyncio's own; calls in worker threads are made here and now."""

    def run_in_executor(  # type: ignore[override]  # typeshed's is variadic
        self, executor: Any, func: Callable[..., Any], *args: Any
    ) -> "asyncio.Future[Any]":
        """Call `func`; its errors come out of the awaiting task."""
        del executor
        done = self.create_future()
        try:
            done.set_result(func(*args))
        except Exception as error:
            done.set_exception(error)
        return done


class _Player(selectors.SelectSelector):
    """The loop asks for more when it has nothing to do: it gets more of the tape."""

    def __init__(self, heard: Iterator[Heard]) -> None:
        super().__init__()
        self.said = 0
        self._heard = heard
        self._wires: dict[int, _Wire] = {}
        self._connect: Callable[[], H11Protocol] | None = None
        self._over: asyncio.Future[None] | None = None

    async def play(self) -> int:
        """Start the app, hear the tape, end the app; the bytes said until then."""
        loop = asyncio.get_running_loop()
        config = uvicorn.Config(
            uvicorn.importer.import_from_string(APP.app)(),
            http="h11",
            ws="none",
            log_config=None,
            access_log=False,
        )
        config.load()
        state = ServerState()
        state.default_headers = [
            (b"date", b"Tue, 01 Jan 2030 00:00:00 GMT"),
            *config.encoded_headers,
        ]
        app: Any = config.app
        async with app.router.lifespan_context(app):
            self._connect = lambda: H11Protocol(config, state, {}, loop)
            self._over = loop.create_future()
            await self._over
            return self.said

    def select(self, timeout: float | None = None) -> list[Any]:
        """Nothing is ever ready; when the loop would wait, the tape goes on."""
        if (timeout is None or timeout > 0) and self._connect and self._over:
            heard = next(self._heard, None)
            if heard is not None:
                self._hear(heard, self._connect)
            elif not self._over.done():
                self._over.set_result(None)
        return []

    def _hear(self, heard: Heard, connect: Callable[[], H11Protocol]) -> None:
        wire = self._wires.get(heard.connection)
        if wire is None:
            wire = self._wires[heard.connection] = _Wire(self, connect())
        wire.hear(heard.data)


class _Wire(asyncio.Transport):
    """A transport that counts what is written to it."""

    def __init__(self, player: _Player, protocol: H11Protocol) -> None:
        super().__init__(
            {"sockname": ("127.0.0.1", 8_000), "peername": ("127.0.0.1", 1)}
        )
        self._player = player
        self._protocol = protocol
        self._closing = False
        protocol.connection_made(self)

    def hear(self, data: bytes | None) -> None:
        """Bytes have come, or the end."""
        if self._closing:
            return
        if data is not None:
            self._protocol.data_received(data)
        else:
            self._protocol.eof_received()
            self.close()

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """To nobody."""
        if not self._closing:
            self._player.said += len(data)

    def close(self) -> None:
        """The protocol learns of it as a step of the loop."""
        if not self._closing:
            self._closing = True
            loop = asyncio.get_running_loop()
            loop.call_soon(self._protocol.connection_lost, None)

    def is_closing(self) -> bool:
        """Whether it was closed."""
        return self._closing

    def pause_reading(self) -> None:
        """The tape does not wait: its requests are small."""

    def resume_reading(self) -> None:
        """As `pause_reading`."""
