"""What a simulated server holds; it lives in our own process, and memory is shared.

Instead of memory what is alive of its own classes is counted, less all that was there
at the first measure. Garbage is collected for it, else what is dead would count.
"""

import gc

import psutil

from harness.core.target import App
from harness.core.usage import Usage
from harness.sim.life import Life
from harness.sim.loop import SimLoop
from harness.sim.network import SimNetwork


class Gauge:
    """Measures one case; `close` gives garbage collection back what it left out."""

    def __init__(self, loop: SimLoop, network: SimNetwork, app: App) -> None:
        self._loop = loop
        self._network = network
        self._package = app.app.partition(":")[0].partition(".")[0]
        self._fds: int | None = None

    def usage(self, life: Life) -> Usage:
        """What this life holds."""
        fds = psutil.Process().num_fds()
        gc.collect()
        if self._fds is None:
            self._fds = fds
            gc.freeze()
        return Usage(
            connections=self._network.held_by(life),
            fds=max(0, fds - self._fds),
            tasks=len(self._loop.tasks_of(life)),
            objects=sum(self._is_its(one) for one in gc.get_objects()),
        )

    def close(self) -> None:
        """The case is over."""
        if self._fds is not None:
            gc.unfreeze()

    def _is_its(self, one: object) -> bool:
        module = type(one).__module__
        return isinstance(module, str) and module.partition(".")[0] == self._package
