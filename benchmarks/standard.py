"""The standard case of the sim arm: three clients, 50 writes, a cut every few seconds.

Limits are the reference target's, but pings and keep-alives as servers have them by
default: with the small ones of the tests most of a run would be pings.
"""

import tempfile
from pathlib import Path

import msgspec

from harness.case import Case, run_case
from harness.checkers import judge
from harness.core.codec import load
from harness.core.fault import cut
from harness.core.history import History
from harness.core.target import App, Target, load_target
from harness.options import find_target
from harness.sim.arm import SimArm
from harness.world import World

PROFILE = "broadcast"
CLIENTS = ("alice", "bob", "carol")
WRITES = 50
PAUSE_S = 1.475
SCENARIO = "standard"
SEED = f"0 {SCENARIO}"
"""What the chance of its lives is seeded with, as the sim arm words it."""

CUT_EVERY = 3
"""Writes from one cut to the next."""


async def standard(world: World) -> None:
    """About 74 virtual seconds: the clients write in turn, and are cut in turn."""
    clients = [await world.client(name) for name in CLIENTS]
    for number in range(WRITES):
        client = clients[number % len(clients)]
        if number % CUT_EVERY == 0:
            await world.inject(cut(clients[number // CUT_EVERY % len(clients)]))
        await world.write(by=client)
        await world.passes(PAUSE_S)


def target() -> Target:
    """The reference target, slowed to 15 s between pings."""
    found = load_target(find_target("reference"))
    profile = found.profiles[PROFILE]
    limits = msgspec.structs.replace(
        profile.limits,
        ping_interval_ms=15_000,
        ping_grace_ms=5_000,
        keepalive_ms=15_000,
    )
    slow = msgspec.structs.replace(profile, limits=limits)
    return msgspec.structs.replace(found, profiles={**found.profiles, PROFILE: slow})


def _app() -> App:
    app = target().app
    assert app is not None
    return app


APP = _app()


class Standard:
    """Runs the standard case again and again; `path` has the last one's history."""

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="unbroken-bench-")
        self._arm = SimArm()
        self.path = Path(self._folder.name) / "history.jsonl"
        self._case = Case(
            scenario=SCENARIO,
            title="Three clients, 50 writes, a cut every few seconds",
            requirements=(),
            target=target(),
            profile=PROFILE,
            arm="sim",
            seed=0,
        )

    def __enter__(self) -> "Standard":
        return self

    def __exit__(self, *_: object) -> None:
        self._folder.cleanup()

    def run(self) -> None:
        """One run, from an empty data folder to the end of the history."""
        folder = self.path.parent
        self._arm.run(
            run_case(self._case, standard, arm=self._arm, path=self.path, folder=folder)
        )

    def judge(self) -> History:
        """Judge the last run from its file, as every run is; gives its history."""
        history = load(self.path)
        judge(history)
        return history
