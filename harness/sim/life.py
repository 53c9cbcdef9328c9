"""One life of the simulated server process: whatever it runs is known by its context.

A killed process does nothing any more: no callback of an ended life runs, so none of
its `finally` blocks repairs anything. A frozen one does everything later.
"""

import contextvars
import itertools
import random
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from harness.sim.loop import SimLoop
    from harness.sim.step import SimTask, Step

LIFE: contextvars.ContextVar["Life | None"] = contextvars.ContextVar(
    "LIFE", default=None
)


class Life:
    """`number` counts from 1; `rng` is all the chance that this process has.

    `signals` are its handlers, `error_handler` is that of its loop, `listen` opens a
    port, `write` takes what it prints, `numbers` tell its connections apart.
    `importing` tells that the application is being imported. `status` is the exit
    status once it is `over`, `tasks` what it left unfinished.
    """

    def __init__(self, number: int, *, seed: str) -> None:
        self.number = number
        self.rng = random.Random(f"{seed} life {number}")
        self.context = contextvars.Context()
        self.context.run(LIFE.set, self)
        self.signals: dict[int, Any] = {}
        self.error_handler: Callable[..., Any] | None = None
        self.listen: Callable[..., Any] | None = None
        self.write: Callable[[str], object] = str
        self.numbers = itertools.count(1)
        self.importing = False
        self.over = False
        self.status: int | None = None
        self.tasks: list[SimTask] = []
        self.on_exit: Callable[[], None] = _nothing
        self._frozen = 0
        self._parked: deque[Step] = deque()

    def may_run(self, step: "Step") -> bool:
        """Whether its steps run now; those of a frozen life are kept for later."""
        if self.over:
            return False
        if self._frozen:
            self._parked.append(step)
            return False
        return True

    def freeze(self) -> None:
        """Run nothing until `thaw`, called once for each `freeze`."""
        self._frozen += 1

    def thaw(self, loop: "SimLoop") -> None:
        """Go on; what came due meanwhile is run now."""
        self._frozen -= 1
        if not self._frozen and not self.over:
            parked, self._parked = self._parked, deque()
            loop.resume(parked)

    def bury(self) -> None:
        """Throw away what it left unfinished; nothing that this does reaches anybody.

        Left to the garbage collector, it would happen at any time, in any context.
        """
        for task in self.tasks:
            task._log_destroy_pending = False  # type: ignore[attr-defined]  # asyncio's
            with suppress(BaseException):
                self.context.run(task.get_coro().close)
        self.tasks.clear()

    def exit(self, code: object) -> None:
        """It ends itself, with the status that Python gives to `sys.exit(code)`."""
        if code is None:
            self.end(0)
        else:
            self.end(code if isinstance(code, int) else 1)

    def end(self, status: int) -> None:
        """It is over, from this instant."""
        if not self.over:
            self.over = True
            self.status = status
            self._parked.clear()
            self.on_exit()


def _nothing() -> None:
    return None
