"""Cases of load have the machine to themselves, as far as their own run goes.

Beside others a thousand clients ping too late, are ended for it, and all come back.
"""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def turn(lock: Path, *, alone: bool) -> Iterator[None]:
    """Wait for a turn: `alone` when nobody else has one, else when nobody is alone.

    All who run together know each other by the file `lock`. Who wants to be alone comes
    last, as long as others do not stop coming.
    """
    lock.parent.mkdir(parents=True, exist_ok=True)
    with lock.open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX if alone else fcntl.LOCK_SH)
        yield
