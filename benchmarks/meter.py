"""Who uses the CPU: exclusive times of parts, taken at the borders between them.

The clock is read whenever one part calls into another, so that each moment belongs to
the part that was entered last. Where `await` crosses a border, each resumption of the
inner coroutine is timed and the waits between them are not.
"""

import time
from collections import Counter, defaultdict
from collections.abc import Callable, Generator, Iterator
from contextlib import ExitStack, contextmanager
from functools import cache
from typing import Any
from unittest.mock import patch

_now_s = time.perf_counter
"""Kept from before a case replaces it by the target's."""


CROSSINGS = 20_000


class Meter:
    """`seconds` of each part; `left` counts how often it was left for another."""

    def __init__(self, part: str) -> None:
        self.seconds: defaultdict[str, float] = defaultdict(float)
        self.left: Counter[str] = Counter()
        self._part = part
        self._since_s = _now_s()

    def enter(self, part: str) -> str:
        """From now on it is the time of `part`; gives the one that it was."""
        now_s = _now_s()
        before = self._part
        self.seconds[before] += now_s - self._since_s
        self.left[before] += 1
        self._part, self._since_s = part, now_s
        return before

    def shares(self, cpu_s: float) -> dict[str, float]:
        """The CPU time of a run that was not metered, divided as this one was."""
        border_s = _border_s()
        own = {
            p: max(0.0, s - self.left[p] * border_s) for p, s in self.seconds.items()
        }
        return {part: cpu_s * s / sum(own.values()) for part, s in own.items()}

    @contextmanager
    def patched(self, borders: "list[Border]") -> Iterator[None]:
        """Watch these borders; one with a key `(owner, name)` is patched there."""
        with ExitStack() as stack:
            for owner, name, wrap, part in borders:
                wrapped = wrap(self, part, getattr(owner, name))
                stack.enter_context(patch.object(owner, name, wrapped))
            yield


Wrap = Callable[[Meter, str, Callable[..., Any]], Callable[..., Any]]
Border = tuple[Any, str, Wrap, str]


def call(meter: Meter, part: str, inner: Callable[..., Any]) -> Callable[..., Any]:
    """A plain call across a border."""

    def crossing(*args: Any, **kw: Any) -> Any:
        before = meter.enter(part)
        try:
            return inner(*args, **kw)
        finally:
            meter.enter(before)

    return crossing


@cache
def _border_s() -> float:
    """What one crossing of a border costs, there or back."""
    crossing = call(Meter("here"), "there", _nothing)
    began_s = _now_s()
    for _ in range(CROSSINGS):
        crossing()
    return (_now_s() - began_s) / CROSSINGS / 2


def _nothing() -> None:
    return None


def coroutine(meter: Meter, part: str, inner: Callable[..., Any]) -> Callable[..., Any]:
    """A coroutine across a border."""

    async def crossing(*args: Any, **kw: Any) -> Any:
        return await _Timed(meter, part, inner(*args, **kw))

    return crossing


def generator(meter: Meter, part: str, inner: Callable[..., Any]) -> Callable[..., Any]:
    """An asynchronous generator across a border."""

    def crossing(*args: Any, **kw: Any) -> Any:
        return _TimedGenerator(meter, part, inner(*args, **kw))

    return crossing


class _Timed:
    def __init__(self, meter: Meter, part: str, awaited: Any) -> None:
        self._meter = meter
        self._part = part
        self._awaited = awaited

    def __await__(self) -> Generator[Any, Any, Any]:
        """Resume the inner one in its own time, and hand on what it waits for."""
        enter, part = self._meter.enter, self._part
        steps = self._awaited.__await__()
        resume: Callable[[], Any] = steps.__next__
        while True:
            before = enter(part)
            try:
                waits_for = resume()
            except StopIteration as stop:
                return stop.value
            finally:
                enter(before)
            resume = yield from _handed_on(steps, waits_for)


def _handed_on(steps: Any, waits_for: Any) -> Generator[Any, Any, Callable[[], Any]]:
    """Wait outside; gives how the inner coroutine is to be resumed."""
    try:
        yield waits_for
    except BaseException as error:
        thrown = error
        return lambda: steps.throw(thrown)
    return steps.__next__  # type: ignore[no-any-return]  # of an untyped iterator


class _TimedGenerator:
    def __init__(self, meter: Meter, part: str, inner: Any) -> None:
        self._meter = meter
        self._part = part
        self._inner = inner

    def __aiter__(self) -> "_TimedGenerator":
        return self

    def __anext__(self) -> Any:
        return _Timed(self._meter, self._part, self._inner.__anext__())

    async def aclose(self) -> None:
        await _Timed(self._meter, self._part, self._inner.aclose())
