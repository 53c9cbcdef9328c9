"""The application for any ASGI server, such as `uvicorn --factory MODULE:create_app`.

Settings come from the environment (UNBROKEN_SERVER_*), as the command line's do.
"""

import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from types import FrameType

from starlette.applications import Starlette

from reference_server import app as application
from reference_server.__main__ import main
from reference_server.settings import Settings


def create_app() -> Starlette:
    """An application of its own; it ends its streams when the process is told to end.

    A server that waits for open responses would otherwise wait for them in vain.
    """
    context = main.make_context("reference_server", [])
    app = application.create_app(Settings(**context.params))
    inner = app.router.lifespan_context

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        async with inner(app):
            _on_term(app)
            yield

    app.router.lifespan_context = lifespan
    return app


def _on_term(app: Starlette) -> None:
    """End the streams first, then do what the server does on SIGTERM."""
    servers = signal.getsignal(signal.SIGTERM)

    def end(number: int, frame: FrameType | None) -> None:
        app.state.running.end_streams()
        if callable(servers):
            servers(number, frame)

    signal.signal(signal.SIGTERM, end)
