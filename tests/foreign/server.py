"""Connections in, answers out: who answers what, and the end of it all."""

import argparse
import asyncio
import signal
from collections.abc import Callable
from functools import partial
from typing import Any

from tests.foreign.desk import Desk
from tests.foreign.journal import Journal
from tests.foreign.listener import Listener
from tests.foreign.room import Room
from tests.foreign.wire import Refused, Request, answer, read_request

Handler = Callable[..., Any]
Routes = dict[tuple[str, ...], Handler]


def room_routes(room: Room) -> Routes:
    """Method and path segments to handlers; `*` is a segment handed on."""
    return {
        ("GET", "stream"): room.stream,
        ("GET", "state"): room.state,
        ("GET", "older"): room.older,
        ("POST", "say"): room.say,
        ("PATCH", "say", "*"): room.edit,
        ("DELETE", "say", "*"): room.erase,
        ("POST", "alive"): room.audience.alive,
    }


def desk_routes(desk: Desk) -> Routes:
    """The same of the support desk."""
    return {
        ("GET", "desk", "stream"): desk.stream,
        ("GET", "desk", "older"): desk.older,
        ("POST", "desk", "say"): desk.say,
        ("POST", "desk", "alive"): desk.alive,
        ("POST", "staff", "*", "say"): desk.help,
    }


def find(routes: Routes, request: Request) -> Callable[..., Any]:
    """The handler of a request, its path's segments filled in."""
    asked = (request.method, *request.path)
    for pattern, handler in routes.items():
        pairs = list(zip(pattern, asked, strict=False))
        if len(pattern) == len(asked) and all(p in ("*", a) for p, a in pairs):
            return partial(handler, request, *(a for p, a in pairs if p == "*"))
    raise Refused(404, "nowhere", f"no {request.method} of {'/'.join(request.path)}")


class Server:
    """Connections in, answers out."""

    def __init__(self, options: argparse.Namespace) -> None:
        self.options = options
        journal = Journal(options.data / "said.sqlite")
        self.routes: Routes = {("GET", "up"): lambda _: answer(200)}
        desk = Desk(options, journal)
        self.audiences = [desk.audience]
        self.routes |= desk_routes(desk)
        if options.window:
            room = Room(options, journal)
            self.audiences.append(room.audience)
            self.routes |= room_routes(room)

    async def serve(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        """One connection, to its end."""
        try:
            while listener := await self.turn(reader, writer):
                if isinstance(listener, Listener):
                    return await listener.gone()
        except (OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            writer.close()

    async def turn(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> Listener | bool:
        """One request: its stream; without one False when it was the last."""
        going = True
        try:
            request = await read_request(reader, most=self.options.body)
            if request is None:
                return False
            handler = find(self.routes, request)
            if request.path[-1] == "stream":
                listener: Listener = handler(writer)
                return listener
            reply, going = handler(), not request.last
        except Refused as refusal:
            reply, going = refusal.answer(), not refusal.last
        writer.write(reply)
        await writer.drain()
        return going


async def run(options: argparse.Namespace) -> None:
    """Serve until SIGTERM; then streams end, and what they were owed is lost."""
    ending = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, ending.set)
    server = Server(options)
    listening = await asyncio.start_server(server.serve, options.host, options.port)
    await ending.wait()
    listening.close()
    for audience in server.audiences:
        for listener in list(audience.by_number.values()):
            listener.end()
