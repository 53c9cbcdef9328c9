"""Time and chance of a target are the seed's: the same again, and no other's."""

from pathlib import Path

from harness.arm import How
from tests.sim.bench import ANSWER, Bench, hosted

SOURCE = f"""{ANSWER}
import datetime, os, random, secrets, time, uuid
from random import randrange
from time import monotonic, time as now

FIRST = random.random()
OWN = random.Random()

async def handle(scope, receive, send):
    drawn = [
        FIRST, random.random(), randrange(10**9), OWN.random(), secrets.token_hex(8),
        uuid.uuid4().hex, os.urandom(8).hex(), random.SystemRandom().random(),
        round(now(), 3), round(time.time_ns() / 1e9, 3),
        monotonic() == time.monotonic(),
        datetime.datetime.now().isoformat(timespec="milliseconds"),
    ]
    await answer(send, "\\n".join(map(str, drawn)))

app = serves(handle)
"""


async def _drawn(bench: Bench) -> list[list[str]]:
    found = []
    for _ in range(2):
        await bench.server.start()
        found.append((await bench.get("/draw")).splitlines())
        await bench.server.stop(How.KILL)
    return found


def test_one_seed_one_chance(tmp_path: Path) -> None:
    once, twice = (hosted(tmp_path, SOURCE, _drawn) for _ in range(2))
    assert once == twice


def test_each_life_has_its_own(tmp_path: Path) -> None:
    first, second = hosted(tmp_path, SOURCE, _drawn)
    assert all(one != other for one, other in zip(first[:8], second[:8], strict=True))


def test_the_wall_clock_is_virtual(tmp_path: Path) -> None:
    first, _ = hosted(tmp_path, SOURCE, _drawn)
    assert first[-1].startswith("2030-01-01T00:00:0")
    assert first[8] == first[9]
    assert first[10] == "True"
