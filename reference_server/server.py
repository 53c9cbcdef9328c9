"""Runs the application under uvicorn, one process, one loop."""

import asyncio
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import uvicorn
from starlette.applications import Starlette
from uvicorn.server import HANDLED_SIGNALS

from reference_server.settings import Settings

DRAIN_TICKS = 50
GRACE_S = 1


class Server(uvicorn.Server):
    """uvicorn with three changes for which it offers no hook.

    A signal ends the streams at once and the exit status is 0; it tells when it is
    ready; a closing connection whose peer reads nothing is cut after a while
    (load/no-leak).
    """

    def __init__(
        self,
        config: uvicorn.Config,
        *,
        on_ready: Callable[[], None],
        on_stop: Callable[[], None],
    ) -> None:
        super().__init__(config)
        self.servers = []
        self._on_ready = on_ready
        self._on_stop = on_stop
        self._closing: dict[asyncio.BaseTransport, int] = {}

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Handle signals on the loop; uvicorn would raise them again at the end."""
        loop = asyncio.get_running_loop()
        for number in HANDLED_SIGNALS:
            loop.add_signal_handler(number, self.stop)
        yield
        for number in HANDLED_SIGNALS:
            loop.add_signal_handler(number, lambda: None)

    def stop(self) -> None:
        """Accept nothing more, end the streams; the main loop sees `should_exit`."""
        self.should_exit = True
        for listener in self.servers:
            listener.close()
        self._on_stop()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen, then say so."""
        await super().startup(sockets)
        self._on_ready()

    async def on_tick(self, counter: int) -> bool:
        """Ten times a second."""
        self.cut_stuck()
        return await super().on_tick(counter)

    def cut_stuck(self) -> None:
        """Abort transports that have been closing for DRAIN_TICKS ticks."""
        transports = [protocol.transport for protocol in self.server_state.connections]
        closing = [each for each in transports if each and each.is_closing()]
        self._closing = {each: self._closing.get(each, 0) + 1 for each in closing}
        for transport, ticks in self._closing.items():
            if ticks > DRAIN_TICKS and isinstance(transport, asyncio.Transport):
                transport.abort()


def bind(settings: Settings) -> socket.socket:
    """Take the address before anything else; OSError when it is not free.

    The protocol is named because asyncio sets TCP_NODELAY only where it is: without,
    an answer's body waits 40 ms for the acknowledgement of its head.
    """
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((settings.host, settings.port))
    except BaseException:
        listener.close()
        raise
    return listener


async def serve(
    app: Starlette, listener: socket.socket, on_ready: Callable[[], None]
) -> None:
    """Run until a signal; errors of the start come out as they are."""
    config = uvicorn.Config(
        app,
        http="h11",
        ws="none",
        loop="asyncio",
        lifespan="off",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        timeout_graceful_shutdown=GRACE_S,
    )
    async with app.router.lifespan_context(app):
        stop = app.state.running.end_streams
        server = Server(config, on_ready=on_ready, on_stop=stop)
        await server.serve(sockets=[listener])
