"""What every profile offers to the application that serves it."""

from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Protocol

from starlette.routing import Route

from reference_server.database import Database
from reference_server.settings import Settings
from reference_server.streams import Streams
from reference_server.writes import Writes

if TYPE_CHECKING:
    from reference_server.components import Components


class Chat(Protocol):
    """The messages of a profile."""

    @property
    def writes(self) -> Writes:
        """To be opened at the start and closed at the end."""
        ...


class Service(Protocol):
    """State and rules of a profile; knows no HTTP."""

    @property
    def chat(self) -> Chat:
        """Its messages."""
        ...

    @property
    def streams(self) -> Streams:
        """Its open streams."""
        ...

    def jobs(self) -> list[Coroutine[None, None, None]]:
        """What runs as long as the server does."""
        ...


class Api(Protocol):
    """Its calls."""

    @property
    def service(self) -> Service:
        """What the calls act on."""
        ...

    def routes(self) -> list[Route]:
        """With the mount point."""
        ...


def make(name: str, settings: Settings, parts: "Components", database: Database) -> Api:
    """The profile `name`, one of `settings.PROFILES`."""
    makers: dict[str, Callable[[], Api]] = {
        "naive": lambda: parts.naive_api(
            parts.naive(settings, parts, database), parts, settings
        ),
        "broadcast": lambda: parts.broadcast_api(
            parts.broadcast(settings, parts, database), parts, settings
        ),
        "log": lambda: parts.log_api(
            parts.log(settings, parts, database), parts, settings
        ),
        "private": lambda: parts.private_api(
            parts.private(settings, parts, database), parts, settings
        ),
    }
    return makers[name]()
