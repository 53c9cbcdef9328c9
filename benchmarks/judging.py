"""What judging a history costs, against decoding its JSON alone."""

import asyncio
import tempfile
from pathlib import Path

import msgspec

from benchmarks.measure import Measured, paired
from harness.case import Case, run_case
from harness.checkers import judge
from harness.core.codec import decode
from harness.core.history import AnyRecord, Header
from harness.core.target import load_target
from harness.live.arm import LiveArm
from harness.live.toxiproxy_binary import find_or_build
from harness.options import find_target
from harness.world import World

WRITES = 500


async def _busy(world: World) -> None:
    for name in ("alice", "bob", "carol"):
        await world.client(name)
    async with world.writing(WRITES):
        pass


def measure() -> list[Measured]:
    """One history of a busy case: decoded and judged, against decoded only."""
    data = _history()
    lines = data.splitlines()
    header = msgspec.json.Decoder(Header)
    record = msgspec.json.Decoder(AnyRecord)

    def decode_only() -> None:
        header.decode(lines[0])
        for line in lines[1:]:
            record.decode(line)

    history = decode(data)
    what = f"judge {len(lines)} records / decode their JSON"
    return [paired(what, lambda: judge(history), decode_only, runs=15)]


def _history() -> bytes:
    target = load_target(find_target("reference"))
    case = Case(
        scenario="busy",
        title="Three clients and many writes",
        requirements=(),
        target=target,
        profile="broadcast",
        arm="live",
        seed=0,
    )
    with tempfile.TemporaryDirectory(prefix="unbroken-bench-") as name:
        folder = Path(name)
        path = folder / "history.jsonl"
        asyncio.run(_run(case, path, folder))
        return path.read_bytes()


async def _run(case: Case, path: Path, folder: Path) -> None:
    arm = LiveArm(binary=find_or_build(lambda _: None), folder=folder)
    try:
        await run_case(case, _busy, arm=arm, path=path, folder=folder)
    finally:
        await arm.aclose()
