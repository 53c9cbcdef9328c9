"""Whole cases on the live arm: nothing of a case outlives it."""

import asyncio
from pathlib import Path

import pytest

from harness.case import Case, run_case
from harness.core.codec import load
from harness.core.target import load_target
from harness.live.arm import LiveArm
from harness.live.ports import is_free
from harness.live.toxiproxy_binary import find_or_build
from harness.options import find_target
from harness.world import World


async def _run(folder: Path, scenario: object) -> None:
    case = Case(
        scenario="test",
        title="Test",
        requirements=(),
        target=load_target(find_target("reference")),
        profile="broadcast",
        arm="live",
        seed=0,
    )
    arm = LiveArm(binary=find_or_build(lambda _: None), folder=folder)
    try:
        path = folder / "history.jsonl"
        await run_case(case, scenario, arm=arm, path=path, folder=folder)  # type: ignore[arg-type]
    finally:
        await arm.aclose()


@pytest.mark.parametrize("raises", [False, True])
def test_no_server_outlives_its_case(tmp_path: Path, raises: bool) -> None:
    ports = []

    async def scenario(world: World) -> None:
        ports.append(world._server.address[1])  # type: ignore[attr-defined]
        if raises:
            raise ZeroDivisionError

    asyncio.run(_run(tmp_path, scenario))
    assert is_free(ports[0])
    history = load(tmp_path / "history.jsonl")
    assert history.records[-1].complete is not raises  # type: ignore[union-attr]
