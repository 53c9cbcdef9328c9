"""An ASGI application under uvicorn, in one life; all of uvicorn that we touch.

uvicorn's own `Server.serve` runs: it asks its loop for a listening socket, sets its
signal handlers, waits and shuts down in its own order.
"""

import asyncio
import importlib
import traceback
from collections.abc import Callable
from contextlib import suppress
from types import FrameType
from typing import Any

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from harness.core.target import App
from harness.sim.life import LIFE, Life
from harness.sim.modules import Modules

TICK_S, DATE_S = 0.1, 1.0
"""uvicorn's own: how often it looks for signals, and renews its date header."""


class Numbered(H11Protocol):
    """uvicorn keeps connections in a set: their order must not be their address's."""

    def __init__(self, *args: Any, **options: Any) -> None:
        life = LIFE.get()
        assert life is not None
        self._number = next(life.numbers)
        super().__init__(*args, **options)

    def __hash__(self) -> int:
        return self._number


class AppTrouble(Exception):
    """The application cannot be loaded; the message is for its author."""


def load(app: App, life: Life, modules: Modules) -> Any:
    """The ASGI application, as a new process would have it; raises `AppTrouble`."""
    module, _, name = app.app.partition(":")
    life.importing = True
    try:
        modules.forget()
        found: Any = importlib.import_module(module)
        for part in name.split("."):
            found = getattr(found, part)
        if app.factory:
            found = found()
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        life.write(_trace(error))
        raise AppTrouble(f"{app.app} cannot be loaded: {_told(error)}") from error
    finally:
        life.importing = False
    if not callable(found):
        raise AppTrouble(f"{app.app} is {type(found).__name__}, no ASGI application")
    return found


def _trace(error: BaseException) -> str:
    """The frames of the application, without those that import it."""
    whole = traceback.TracebackException.from_exception(error)
    whole.stack = traceback.StackSummary.from_list(
        frame
        for frame in whole.stack
        if frame.filename not in (__file__, importlib.__file__)
        and not frame.filename.startswith("<frozen importlib")
    )
    return "".join(whole.format())


def _told(error: BaseException) -> str:
    lines = traceback.format_exception_only(error)
    return lines[-1].strip()


class Server(uvicorn.Server):
    """uvicorn's server, less the wake-ups in which it finds nothing to do.

    uvicorn looks ten times a second whether it should exit, and renews its date header
    once a second; this one sleeps from date to date and sees a signal at the same tick.
    """

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self._signalled = asyncio.Event()

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """A signal: seen at the next tick."""
        super().handle_exit(sig, frame)
        self._signalled.set()

    async def main_loop(self) -> None:
        """As uvicorn's, `on_tick` for `on_tick`, once a second."""
        loop = asyncio.get_running_loop()
        began_s = loop.time()
        while not await self.on_tick(0):
            with suppress(TimeoutError):
                async with asyncio.timeout(DATE_S):
                    await self._signalled.wait()
                    since_s = loop.time() - began_s
                    await asyncio.sleep(TICK_S - since_s % TICK_S)


def server_for(asgi: Any, app: App, *, port: int) -> uvicorn.Server:
    """uvicorn, to be run with `serve` in the context of a life."""
    return Server(
        uvicorn.Config(
            asgi,
            host="127.0.0.1",
            port=port,
            http=Numbered,
            ws="none",
            loop="none",
            lifespan="auto",
            log_config=None,
            access_log=False,
            timeout_graceful_shutdown=app.graceful_s,
        )
    )


async def serve(server: uvicorn.Server, on_exit: Callable[[int], None]) -> None:
    """The main program of a life; `on_exit` gets its exit status."""
    status = 0
    try:
        await server.serve()
        if not server.started:
            status = 3
    except SystemExit as error:
        status = error.code if isinstance(error.code, int) else 1
    on_exit(status)
