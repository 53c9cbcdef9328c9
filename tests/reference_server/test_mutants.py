"""Every mutant starts, serves enough to be judged, and is told from the clean one."""

from pathlib import Path

import pytest

from reference_server.mutants.registry import REGISTRY
from tests.reference_server import (
    test_mutants_bite,
    test_personal_mutants_bite,
    test_refusal_mutants_bite,
)
from tests.reference_server.driver import Driver, running

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


BEHIND = ("naive-stale-init", "log-late-commit")
"""Their snapshots lag behind the events."""


async def say(server: Driver, profile: str) -> None:
    """A message."""
    headers = {"cookie": "uid=ann"}
    body = {"author": "ann", "text": "text"}
    path = f"/{profile}/messages"
    assert (await server.call("POST", path, body, **headers)).status == 201


@pytest.mark.parametrize("name", REGISTRY)
async def test_mutant_serves(tmp_path: Path, name: str) -> None:
    profile = REGISTRY[name].profile
    async with running(tmp_path, mutant=name) as server:
        stream = await server.stream(f"/{profile}/events", cookie="uid=ann")
        if name == "first-event-not-sent":
            await server.user("ann").hear()
        await say(server, profile)
        if not await stream.events_within(1, 0.3):
            await say(server, profile)
        await stream.until(lambda each: len(each.events) == 1)
        assert stream.events[0]["value"]["text"] == "text"
        snapshot = "history" if profile in ("log", "private") else "init"
        path = f"/{profile}/{snapshot}"
        answer = await server.call("GET", path, cookie="uid=ann")
        assert answer.json["messages"] or name in BEHIND
        await stream.close()


def test_every_mutant_is_told_from_the_clean_server() -> None:
    tables = (
        *(test_mutants_bite, test_personal_mutants_bite),
        test_refusal_mutants_bite,
    )
    told = [name for each in tables for name in (*each.PROBES, *each.RESTARTED)]
    assert sorted(told) == sorted(REGISTRY)
