"""Every mutant starts, and serves enough to be judged."""

from pathlib import Path

import pytest

from reference_server.mutants.registry import REGISTRY
from tests.reference_server.driver import running

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.mark.parametrize("name", REGISTRY)
async def test_mutant_serves(tmp_path: Path, name: str) -> None:
    async with running(tmp_path, mutant=name) as server:
        stream = await server.open()
        await server.post("text")
        if not await stream.events_within(1, 0.3):
            await server.post("text")
        await stream.until(lambda each: len(each.events) == 1)
        assert stream.events[0]["value"]["text"] == "text"
        assert (await server.init())["messages"]
        await stream.close()
