"""What a process can change around itself, and a new one finds unchanged."""

import contextlib
import logging
import os
import random
from collections.abc import Iterator, Mapping


class Surroundings:
    """Environment, current directory, root logger and chance, as they were before."""

    def __init__(self) -> None:
        self._environment = dict(os.environ)
        self._folder = os.getcwd()
        root = logging.getLogger()
        self._handlers, self._level = list(root.handlers), root.level

    @contextlib.contextmanager
    def kept(self) -> Iterator[None]:
        """Afterwards everything is as it was."""
        chance = random.getstate()
        try:
            yield
        finally:
            random.setstate(chance)
            self.renew({})

    def renew(self, environment: Mapping[str, str]) -> None:
        """As a new process finds it, with so much more in its environment."""
        wanted = self._environment | dict(environment)
        if dict(os.environ) != wanted:
            os.environ.clear()
            os.environ.update(wanted)
        with contextlib.suppress(OSError):
            os.chdir(self._folder)
        root = logging.getLogger()
        root.handlers[:] = self._handlers
        root.setLevel(self._level)
