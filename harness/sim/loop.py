"""An event loop whose clock moves only when there is nothing left to do.

Time is seconds of virtual time since the loop was made. Callbacks run in the order in
which they were scheduled, timers of equal time too: one seed, one order. A callback
whose context holds a `Life` belongs to the server and runs only while that life does.
Longer than other files, for asyncio asks all of this of one class.
"""

import asyncio
import contextvars
import heapq
import itertools
import random
import sys
from collections import deque
from collections.abc import Callable, Coroutine, Generator
from contextlib import suppress
from typing import Any, TypeVar

from harness.core.errors import CouldNotRun
from harness.sim.life import LIFE, Life
from harness.sim.refusal import LOOP_CALLS, refuse, refused_call
from harness.sim.step import SimTask, Step
from harness.sim.waiting import named, waiting

T = TypeVar("T")

STEPS_AT_ONCE = 100_000
"""More steps than this without any time passing are a busy loop."""

MAX_STEPS = 5_000_000
LIMIT_S = 4 * 3_600.0
"""No case may do more steps, or last longer in virtual time."""

CLEAN_UP_S = 60.0
TRIES = 3
"""After trouble: so much more time, and so many interruptions of the clean-up."""

CALL_S = (0.0002, 0.002)
"""How long a call in a worker thread takes, such as a database's commit."""


class SimLoop(asyncio.AbstractEventLoop):
    """Runs one case; `rng` draws how long calls in worker threads take.

    `on_time` is told by how many seconds the clock moves.

    `steps` counts what was run. Trouble of the simulation (a deadlock, a busy loop, a
    target that needs a real socket) cancels the supervised task; from then on nothing
    of the target's runs, so that cleaning up is between us.
    """

    def __init__(self, *, on_time: Callable[[float], None]) -> None:
        self.steps = 0
        self.rng = random.Random(0)
        self.trouble = ""
        self.supervised: asyncio.Task[Any] | None = None
        self.on_error: Callable[[Life | None, dict[str, Any]], None] | None = None
        self._on_time = on_time
        self._now_s = 0.0
        self._before_block_s: float | None = None
        self._ready: deque[Step] = deque()
        self._timers: list[tuple[float, int, Step]] = []  # by time, then as scheduled
        self._numbers = itertools.count(1)
        self._running = False
        self._closed = False
        self._at_once = 0
        self._interrupts = 0
        self._hooks: Any = None
        self._generators: dict[int, Life | None] = {}

    # ---- running ---------------------------------------------------------------------

    def run_until_complete(self, future: Any) -> Any:
        """Run until `future` is done; raises `CouldNotRun` when it never can be."""
        task = asyncio.ensure_future(future, loop=self)
        self._enter()
        try:
            self._run_until(task)
        except BaseException:
            self.trouble = self.trouble or "broken off"
            raise
        finally:
            self._end_tasks()
            self._leave()
        return task.result()

    def _run_until(self, task: "asyncio.Future[Any]") -> None:
        while not task.done():
            self._advance()
            self._run_ready(task)

    def _end_tasks(self) -> None:
        """Cancel what still runs of ours, and let it clean up."""
        self.supervised = None
        for _ in range(TRIES):
            rest = self.tasks_of(None)
            for one in rest:
                one.cancel()
            with suppress(CouldNotRun):
                for one in rest:
                    self._run_until(one)

    def _run_ready(self, task: "asyncio.Future[Any]") -> None:
        ready = self._ready
        while ready and not task.done():
            self._run(ready.popleft())

    def _run(self, step: Step) -> None:
        callback = step.callback
        if callback is None:
            return
        life: Life | None = step.context.get(LIFE)
        if life is not None and (self.trouble or not life.may_run(step)):
            return
        self.steps += 1
        self._at_once += 1
        try:
            step.context.run(callback, *step.args)
        except SystemExit as error:
            if life is None:
                raise
            self.end_life(life, error.code)
        except KeyboardInterrupt:
            raise
        except BaseException as error:
            self._report(life, {"message": "a callback", "exception": error})
        if self._before_block_s is not None:
            self._blocked(life)
        if self._at_once > STEPS_AT_ONCE or self.steps > MAX_STEPS:
            self._too_busy(step)

    def _advance(self) -> None:
        """With nothing to do now, go to the next moment at which there is."""
        if self._ready:
            return
        timers = self._timers
        while timers and timers[0][2].callback is None:
            heapq.heappop(timers)
        if not timers:
            self._give_up(f"deadlock: nothing can happen any more; {waiting(self)}")
            return
        when_s = timers[0][0]
        if when_s > LIMIT_S + (CLEAN_UP_S if self.trouble else 0.0):
            self._give_up(f"{LIMIT_S:g} virtual seconds have passed; {waiting(self)}")
            return
        if when_s > self._now_s:
            self._set_time(when_s)
            self._at_once = 0
        while timers and timers[0][0] <= when_s:
            self._ready.append(heapq.heappop(timers)[2])

    def interrupt(self, why: str) -> None:
        """The case cannot go on, and is told why; a second reason adds nothing."""
        if not self.trouble:
            self.trouble = why
            self._cancel()

    def _give_up(self, why: str) -> None:
        """As `interrupt`; after some times, while cleaning up, there is no way on."""
        self.trouble = self.trouble or why
        if self.supervised is None or self._interrupts >= TRIES:
            raise CouldNotRun(self.trouble)
        self._cancel()

    def _cancel(self) -> None:
        if self.supervised is not None:
            self._interrupts += 1
            self.supervised.cancel()

    def _too_busy(self, step: Step) -> None:
        self._at_once = 0
        if self.steps > MAX_STEPS:
            why = f"the case needed more than {MAX_STEPS} steps"
        else:
            why = f"busy loop: {STEPS_AT_ONCE} steps without any time passing"
        self.steps = 0
        self._give_up(f"{why}, the last by {named(step)}; {waiting(self)}"[:4_000])

    # ---- time ------------------------------------------------------------------------

    def time(self) -> float:
        """Virtual seconds since the loop was made."""
        return self._now_s

    def block(self, seconds: float) -> None:
        """A blocking call: whoever makes it is that much later, nobody else is."""
        if self._before_block_s is None:
            self._before_block_s = self._now_s
        self._set_time(self._now_s + max(0.0, seconds))

    def _unblock(self) -> None:
        """Back to the time at which the blocking began."""
        if self._before_block_s is not None:
            self._set_time(self._before_block_s)
            self._before_block_s = None

    def _blocked(self, life: Life | None) -> None:
        """A life that blocked its loop runs nothing until the time that it took."""
        until_s = self._now_s
        self._unblock()
        if life is not None:
            life.freeze()
            self.call_at(until_s, life.thaw, self, context=contextvars.Context())

    def end_life(self, life: Life, code: object) -> None:
        """A life ends itself, after the time that it has blocked in this step."""
        if self._before_block_s is None:
            life.exit(code)
        else:
            life.freeze()
            self.call_at(self._now_s, life.exit, code, context=contextvars.Context())

    def _set_time(self, now_s: float) -> None:
        self._on_time(now_s - self._now_s)
        self._now_s = now_s

    # ---- scheduling ------------------------------------------------------------------

    def call_soon(  # type: ignore[override]  # a lighter handle than asyncio's
        self,
        callback: Callable[..., object],
        *args: Any,
        context: contextvars.Context | None = None,
    ) -> Step:
        """Run `callback` in this instant, after what is to be run already."""
        if context is None:  # an empty context is false
            context = contextvars.copy_context()
        step = Step(callback, args, context)
        self._ready.append(step)
        return step

    call_soon_threadsafe = call_soon  # type: ignore[assignment]  # there are no threads

    def call_later(  # type: ignore[override]  # as above
        self,
        delay: float,
        callback: Callable[..., object],
        *args: Any,
        context: contextvars.Context | None = None,
    ) -> Step:
        """Run `callback` after `delay` seconds."""
        return self.call_at(self._now_s + delay, callback, *args, context=context)

    def call_at(  # type: ignore[override]  # as above
        self,
        when: float,
        callback: Callable[..., object],
        *args: Any,
        context: contextvars.Context | None = None,
    ) -> Step:
        """Run `callback` at a time of this clock."""
        if context is None:
            context = contextvars.copy_context()
        step = Step(callback, args, context, when)
        heapq.heappush(self._timers, (when, next(self._numbers), step))
        return step

    def resume(self, steps: "deque[Step]") -> None:
        """Run these again: their life was frozen, and goes on."""
        self._ready.extend(steps)

    def create_future(self) -> "asyncio.Future[Any]":
        """A future of this loop."""
        return asyncio.Future(loop=self)

    def create_task(
        self,
        coro: Generator[Any, None, T] | Coroutine[Any, Any, T],
        *,
        name: str | None = None,
        context: contextvars.Context | None = None,
    ) -> "asyncio.Task[T]":
        """A task, of the life that the context belongs to."""
        life = LIFE.get() if context is None else context.get(LIFE)
        return SimTask(
            next(self._numbers), life, coro, loop=self, name=name, context=context
        )

    def tasks_of(self, life: Life | None) -> list[SimTask]:
        """Tasks that have not ended, of one life or of the harness, oldest first."""
        tasks = [one for one in asyncio.all_tasks(self) if isinstance(one, SimTask)]
        mine = [one for one in tasks if one.life is life and not one.done()]
        return sorted(mine, key=lambda one: one.number)

    def run_in_executor(  # type: ignore[override]  # typeshed's is variadic
        self, executor: Any, func: Callable[..., T], *args: Any
    ) -> "asyncio.Future[T]":
        """Call `func` here and now; the result comes after a drawn delay.

        What blocks in it (`time.sleep`) makes the answer later, and nothing else.
        """
        del executor
        done: asyncio.Future[T] = self.create_future()
        delay_s = self.rng.uniform(*CALL_S)
        outer_s, self._before_block_s = self._before_block_s, None
        try:
            result = func(*args)
        except KeyboardInterrupt:
            raise
        except StopIteration as error:
            self.call_later(delay_s, _fail, done, RuntimeError(repr(error)))
        except BaseException as error:
            self.call_later(delay_s, _fail, done, error)
        else:
            self.call_later(delay_s, _succeed, done, result)
        finally:
            self._unblock()
            self._before_block_s = outer_s
        return done

    async def create_server(  # type: ignore[override]  # as uvicorn calls it
        self,
        protocol_factory: Callable[[], asyncio.Protocol],
        host: str | None = None,
        port: int = 0,
        **options: Any,
    ) -> Any:
        """Listen on the simulated network, if the caller is a server."""
        del host, options
        life = LIFE.get()
        if life is None or life.listen is None:
            raise CouldNotRun("only a simulated server can listen")
        return life.listen(protocol_factory, port)

    def add_signal_handler(  # type: ignore[override]  # as above
        self, sig: int, callback: Callable[..., object], *args: Any
    ) -> None:
        """A handler of the calling life."""
        life = LIFE.get()
        if life is None:
            raise CouldNotRun("signals are for the simulated server")
        life.signals[sig] = lambda *_: self.call_soon(callback, *args)

    def remove_signal_handler(self, sig: int) -> bool:
        """Back to what the signal does by itself."""
        life = LIFE.get()
        return life is not None and life.signals.pop(sig, None) is not None

    # ---- what asyncio asks of a loop -------------------------------------------------

    def is_running(self) -> bool:
        """Whether it runs."""
        return self._running

    def is_closed(self) -> bool:
        """Whether it was closed."""
        return self._closed

    def get_debug(self) -> bool:
        """Never."""
        return False

    def close(self) -> None:
        """Forget everything that was to be run."""
        self._closed = True
        self._ready.clear()
        self._timers.clear()

    async def shutdown_asyncgens(self) -> None:
        """They end with their tasks."""

    async def shutdown_default_executor(self, timeout: float | None = None) -> None:
        """There is none."""

    def set_debug(self, enabled: bool) -> None:
        """It has no debug mode."""

    def set_default_executor(self, executor: Any) -> None:
        """Calls in worker threads are made here, whosever the threads are."""

    def get_task_factory(self) -> None:
        """Tasks are always this loop's own."""

    def set_task_factory(self, factory: Any) -> None:
        """Refused: the order of another factory's tasks would be no seed's."""
        if factory is not None:
            refuse("set a task factory")

    def get_exception_handler(self) -> Any:
        """That of the calling life."""
        life = LIFE.get()
        return None if life is None else life.error_handler

    def set_exception_handler(self, handler: Any) -> None:
        """A handler of the calling life."""
        life = LIFE.get()
        if life is not None:
            life.error_handler = handler

    def default_exception_handler(self, context: dict[str, Any]) -> None:
        """Of the target: a line of its log. Of ours: the case could not be run."""
        task = context.get("future") or context.get("task")
        life = task.life if isinstance(task, SimTask) else LIFE.get()
        # A future tells not whose it is, and may be thrown away by anybody.
        ours = life is None and (task is None or isinstance(task, SimTask))
        if self.on_error is not None:
            self.on_error(life, context)
        if ours:
            error = context.get("exception")
            said = context.get("message", "") if error is None else repr(error)
            self.interrupt(f"the harness broke down: {said}"[:4_000])

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        """Tell the handler that the life has set, if it has one.

        Garbage of a case that is over, collected at any time, tells nobody anything.
        """
        if self._closed:
            return
        task = context.get("future") or context.get("task")
        self._report(task.life if isinstance(task, SimTask) else LIFE.get(), context)

    def _report(self, life: Life | None, context: dict[str, Any]) -> None:
        if life is None:
            self.default_exception_handler(context)
            return
        handler = life.error_handler
        try:
            if handler is not None:
                life.context.copy().run(handler, self, context)
                return
        except Exception as error:
            context = {"message": "its exception handler", "exception": error}
        life.context.copy().run(self.default_exception_handler, context)

    def _enter(self) -> None:
        self._running = True
        self._hooks = sys.get_asyncgen_hooks()
        sys.set_asyncgen_hooks(
            firstiter=self._generator_begins, finalizer=self._generator_dropped
        )
        asyncio._set_running_loop(self)

    def _leave(self) -> None:
        asyncio._set_running_loop(None)
        sys.set_asyncgen_hooks(*self._hooks)
        self._running = False

    def _generator_begins(self, generator: Any) -> None:
        self._generators[id(generator)] = LIFE.get()

    def _generator_dropped(self, generator: Any) -> None:
        """An abandoned generator is closed by its own life, if that still runs."""
        life = self._generators.pop(id(generator), None)
        context = contextvars.Context() if life is None else life.context
        if life is None or not life.over:
            self.call_soon(self._close_generator, generator, context=context)

    def _close_generator(self, generator: Any) -> None:
        self.create_task(generator.aclose())


for _name in LOOP_CALLS:
    setattr(SimLoop, _name, refused_call(_name))


def _succeed(future: "asyncio.Future[T]", result: T) -> None:
    if not future.done():
        future.set_result(result)


def _fail(future: "asyncio.Future[T]", error: BaseException) -> None:
    if not future.done():
        future.set_exception(error)
