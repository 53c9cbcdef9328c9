"""Puts a server together: components, routes, lifespan."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.types import ASGIApp

from reference_server.components import Components
from reference_server.profiles.broadcast import Broadcast
from reference_server.settings import Settings
from reference_server.web import EXCEPTION_HANDLERS, answer, route


def components_for(settings: Settings) -> Components:
    """The conforming components, or those of the mutant that the settings name."""
    clean = Components()
    if settings.mutant is None:
        return clean
    from reference_server.mutants import apply

    return apply(settings.mutant, clean)


def create_app(settings: Settings) -> Starlette:
    """The ASGI application; its lifespan opens and closes everything it holds.

    `app.state.broadcast` is the running profile while the lifespan lasts.
    """
    parts = components_for(settings)
    broadcast = parts.broadcast(settings, parts)
    routes = [route("/healthz", GET=healthz), *parts.broadcast_api(broadcast).routes()]
    app = Starlette(
        routes=routes,
        middleware=[Middleware(parts.middleware)],
        exception_handlers=EXCEPTION_HANDLERS,
        lifespan=lifespan,
    )
    app.router.redirect_slashes = False
    app.state.broadcast = broadcast
    return app


@asynccontextmanager
async def lifespan(app: Starlette) -> AsyncIterator[None]:
    """Start the profile and its watchdog; end streams and close the database."""
    broadcast: Broadcast = app.state.broadcast
    await broadcast.start()
    watchdog = asyncio.create_task(broadcast.connections.watch())
    try:
        yield
    finally:
        watchdog.cancel()
        await broadcast.stop()


async def healthz(_: Request) -> ASGIApp:
    """ "Ready = `GET /healthz` answers 200": the lifespan has started everything."""
    return answer({"status": "ready"})
