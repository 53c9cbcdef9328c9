"""Chance: each life has its own, drawn from the seed of the case."""

import os
import random
from typing import Any

from harness.sim.life import LIFE, Life

_real_urandom = os.urandom
_real_seed = random.Random.seed
_global: random.Random = random._inst  # what random.random() is of


def urandom(size: int, /) -> bytes:
    """`os.urandom`, and with it `secrets`, `uuid4` and `SystemRandom`."""
    life = LIFE.get()
    return _real_urandom(size) if life is None else life.rng.randbytes(size)


def seed(self: random.Random, a: Any = None, version: int = 2) -> None:
    """Without a seed, one from the life's own chance instead of the machine's."""
    life = LIFE.get()
    if a is None and life is not None:
        a = life.rng.getrandbits(256)
    _real_seed(self, a, version)


def seed_all(a: Any = None, version: int = 2) -> None:
    """`random.seed`, which is a method bound before anybody could replace it."""
    seed(_global, a, version)


def seed_chance(life: Life) -> None:
    """A new process: the functions of `random` begin anew."""
    random.seed(life.rng.getrandbits(256))


REPLACEMENTS = [
    (os, "urandom", urandom),
    (random, "_urandom", urandom),
    (random.Random, "seed", seed),
    (random, "seed", seed_all),
]
