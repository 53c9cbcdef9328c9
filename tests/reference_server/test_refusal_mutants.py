"""Each mutant of a database that refuses is told from the clean server by one probe."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
from sqlalchemy.engine import Connection
from sqlalchemy.exc import OperationalError

from reference_server.mutants.registry import REGISTRY
from tests.reference_server.driver import Driver, running

pytestmark = pytest.mark.anyio

SHORT_S = 0.1
NAMES = [
    *(name for name in REGISTRY if "refus" in name or "before-commit" in name),
    "init-reads-database",
    "init-stale-without-database",
]


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


async def is_right(server: Driver, trouble: Any) -> bool:
    """What a caller, a stream and /init are told while the database refuses."""
    await server.posts(3)
    stream = await server.open()
    before = await server.init()
    create = {"author": "a", "text": "t"}
    path = "/broadcast/messages"
    with trouble:
        told = [
            (await server.call("POST", path, create)).status,
            (await server.call("PATCH", f"{path}/1", {"text": "n"})).status,
            (await server.call("DELETE", f"{path}/2")).status,
        ]
        answer = await server.call("GET", "/broadcast/init")
        quiet = not await stream.events_within(1, SHORT_S) and not stream.ended
    told += [(await server.call("POST", path, create)).status, answer.status]
    same = answer.status == 200 and answer.json == before
    return quiet and same and told == [503, 503, 503, 201, 200]


@pytest.mark.parametrize("name", NAMES)
async def test_mutant_bites(tmp_path: Path, name: str) -> None:
    trouble = full if name == "sent-before-commit-returns" else away
    async with running(tmp_path / "clean") as server:
        assert await is_right(server, trouble())
    async with running(tmp_path / "mutant", mutant=name) as server:
        assert not await is_right(server, trouble())


def test_all_are_here() -> None:
    wanted = ("init/from-cache", "write/before-broadcast")
    assert {name for name, one in REGISTRY.items() if one.requirement in wanted} == {
        *NAMES
    }
