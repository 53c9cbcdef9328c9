"""What a loop runs: steps, and the tasks that they belong to."""

import asyncio
import contextvars
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from harness.sim.life import Life


class Step:
    """One callback to run; what `call_soon` and `call_at` give back."""

    __slots__ = ("args", "callback", "context", "when_s")

    def __init__(
        self,
        callback: Callable[..., object],
        args: tuple[Any, ...],
        context: contextvars.Context,
        when_s: float = 0.0,
    ) -> None:
        self.callback: Callable[..., object] | None = callback
        self.args = args
        self.context = context
        self.when_s = when_s

    def cancel(self) -> None:
        """Never run it."""
        self.callback = None
        self.args = ()

    def cancelled(self) -> bool:
        """Whether it was cancelled."""
        return self.callback is None

    def when(self) -> float:
        """When it is due."""
        return self.when_s


class SimTask(asyncio.Task[Any]):
    """A task with a place of its own in every set, the same in every process."""

    def __init__(self, number: int, life: "Life | None", *args: Any, **kw: Any) -> None:
        self.number = number
        self.life = life
        super().__init__(*args, **kw)

    def __hash__(self) -> int:
        return self.number
