"""Who waits for what, for the reader of a deadlock."""

import asyncio
from types import FrameType
from typing import TYPE_CHECKING

from harness.sim.modules import LIBRARIES

if TYPE_CHECKING:
    from harness.sim.step import Step

SHOWN = 12


def waiting(loop: asyncio.AbstractEventLoop) -> str:
    """Each task that has not ended, and the line that it waits in."""
    tasks = [task for task in asyncio.all_tasks(loop) if not task.done()]
    tasks.sort(key=lambda task: task.get_name())
    said = [f"{_whose(task)} waits in {_place(task)}" for task in tasks]
    more = len(said) - SHOWN
    return "; ".join(said[:SHOWN]) + (f"; and {more} more" if more > 0 else "")


def named(step: "Step") -> str:
    """Whose step it is: a task and its innermost await, or a function."""
    owner = getattr(step.callback, "__self__", None)
    if isinstance(owner, asyncio.Task):
        return f"{_whose(owner)} in {_place(owner)}"
    name = getattr(step.callback, "__qualname__", type(step.callback).__name__)
    return f"{getattr(step.callback, '__module__', '')}.{name}"


def _whose(task: "asyncio.Task[object]") -> str:
    life = getattr(task, "life", None)
    return f"{task.get_name()} of the {'target' if life else 'harness'}"


def _place(task: "asyncio.Task[object]") -> str:
    """The innermost await of a task, after the innermost that is in no library."""
    frames: list[FrameType] = []
    awaited: object = task.get_coro()
    while awaited is not None:
        frame = getattr(awaited, "cr_frame", None) or getattr(awaited, "ag_frame", None)
        if isinstance(frame, FrameType):
            frames.append(frame)
        awaited = getattr(awaited, "cr_await", None) or getattr(
            awaited, "ag_await", None
        )
    own = [f for f in frames if not f.f_code.co_filename.startswith(LIBRARIES)]
    shown = dict.fromkeys([*own[-1:], *frames[-1:]])
    return " > ".join(map(place, shown)) or "an await of C code"


def place(frame: FrameType) -> str:
    """Function, file and line."""
    code = frame.f_code
    file = "/".join(code.co_filename.split("/")[-2:])
    return f"{code.co_qualname} ({file}:{frame.f_lineno})"
