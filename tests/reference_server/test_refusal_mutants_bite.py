"""The mutants of a database that refuses, each told from the clean server."""

from collections.abc import Awaitable, Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
from sqlalchemy.engine import Connection
from sqlalchemy.exc import OperationalError

from tests.reference_server.driver import Answer, Driver
from tests.reference_server.probes import SHORT_S, Table, bites, into

pytestmark = pytest.mark.anyio

PROBES = Table()
RESTARTED = ()
probes = into(PROBES)

Trouble = Callable[[], AbstractContextManager[None]]
Write = Callable[[Driver], Awaitable[Answer]]


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@contextmanager
def away() -> Iterator[None]:
    """No statement is carried out."""
    with patch.object(Connection, "execute", _refuse):
        yield


@contextmanager
def full() -> Iterator[None]:
    """Every statement is, and no commit."""
    with patch.object(Connection, "_commit_impl", _refuse):
        yield


def _refuse(*_: Any, **__: Any) -> Any:
    raise OperationalError("", {}, Exception("database or disk is full"))


async def create(server: Driver) -> Answer:
    """A new message."""
    body = {"author": "a", "text": "t"}
    return await server.call("POST", "/broadcast/messages", body)


async def update(server: Driver) -> Answer:
    """A new text."""
    return await server.call("PATCH", "/broadcast/messages/1", {"text": "n"})


async def delete(server: Driver) -> Answer:
    """An end."""
    return await server.call("DELETE", "/broadcast/messages/1")


async def is_right(server: Driver, write: Write, trouble: Trouble = away) -> bool:
    """What caller, stream and /init are told of the first write that is refused."""
    await server.posts(3)
    stream = await server.open()
    before = await server.init()
    with trouble():
        told = (await write(server)).status
        shown = (await server.call("GET", "/broadcast/init")).json
        quiet = not await stream.events_within(1, SHORT_S) and not stream.ended
    again = (await write(server)).status
    return quiet and shown == before and told == 503 and 200 <= again < 300


@probes(
    *("refused-create-taken-back", "refused-create-acknowledged"),
    *("refusal-blames-caller", "refusal-for-ever", "refusal-ends-streams"),
    *("refused-create-in-window", "init-empty-after-refusal"),
    "init-stale-without-database",
)
async def refused_create(server: Driver) -> bool:
    return await is_right(server, create)


@probes("sent-before-commit-returns")
async def refused_commit(server: Driver) -> bool:
    return await is_right(server, create, full)


@probes("update-before-commit")
async def refused_update(server: Driver) -> bool:
    return await is_right(server, update)


@probes("delete-before-commit")
async def refused_delete(server: Driver) -> bool:
    return await is_right(server, delete)


@pytest.mark.parametrize("name", PROBES)
async def test_mutant_bites(tmp_path: Path, name: str) -> None:
    assert await bites(tmp_path, name, PROBES[name])
