"""Puts a server together: components, profiles, routes, lifespan."""

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.types import ASGIApp

from reference_server import profile
from reference_server.components import Components
from reference_server.database import Database, StoreUnavailableError
from reference_server.profile import Service
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

    `app.state.running` holds the profiles' services by name.
    """
    parts = components_for(settings)
    database = parts.database(settings.database)
    served = {
        name: profile.make(name, settings, parts, database)
        for name in settings.profiles
    }
    running = Running(database, {name: api.service for name, api in served.items()})
    routes = [route for api in served.values() for route in api.routes()]
    app = Starlette(
        routes=[route("/healthz", GET=running.healthz), *routes],
        middleware=[Middleware(parts.middleware)],
        exception_handlers=EXCEPTION_HANDLERS,
        lifespan=lifespan,
    )
    app.router.redirect_slashes = False
    app.state.running = running
    return app


class Running:
    """The profiles of one server and the database that they share."""

    def __init__(self, database: Database, services: dict[str, Service]) -> None:
        self.database = database
        self.services = services

    async def start(self) -> None:
        """Read what has to be read; a database that may come back may be away.

        Then the server is up and not ready, and reads it as soon as it can.
        """
        for service in self.services.values():
            try:
                await service.chat.writes.open()
            except StoreUnavailableError as error:
                if not self.database.is_remote:
                    raise
                print(f"reference_server: not ready: {error}", file=sys.stderr)  # noqa: T201 - the log of this program
                return

    def end_streams(self) -> None:
        """The server goes: end every stream and take no new one."""
        for service in self.services.values():
            service.streams.end()

    async def stop(self) -> None:
        """Let the writes that run finish, then close the database."""
        self.end_streams()
        for service in self.services.values():
            await service.chat.writes.close()
        await asyncio.to_thread(self.database.close)

    async def healthz(self, _: Request) -> ASGIApp:
        """ "Ready = `GET /healthz` answers 200"; 503 says what is missing."""
        await asyncio.to_thread(self.database.probe)
        for name, service in self.services.items():
            if not service.chat.writes.is_settled:
                raise StoreUnavailableError(f"{name} has yet to read it again")
        return answer({"status": "ready"})


@asynccontextmanager
async def lifespan(app: Starlette) -> AsyncIterator[None]:
    """Start the profiles and their jobs; end streams and close the database."""
    running: Running = app.state.running
    jobs: list[asyncio.Task[None]] = []
    try:
        await running.start()
        for service in running.services.values():
            jobs += [asyncio.create_task(job) for job in service.jobs()]
        yield
    finally:
        for job in jobs:
            job.cancel()
        await running.stop()
