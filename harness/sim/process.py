"""What the target sees of its process: clock, chance, signals, threads, exit.

While a case runs, the functions of the standard library that reach for these are
replaced by ones that ask which life calls: the target's gets the simulated thing,
everybody else the real one. time-machine does it for the wall clock, in C.
"""

import contextlib
import datetime
import os
import random
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any, TextIO
from unittest.mock import patch

import anyio.to_thread
import time_machine

from harness.sim.life import LIFE, Life
from harness.sim.loop import SimLoop
from harness.sim.refusal import Refusals

EPOCH = datetime.datetime(2030, 1, 1, tzinfo=datetime.UTC)
"""The wall clock's time when a case begins."""


@contextlib.contextmanager
def wall_clock() -> Iterator[Callable[[float], None]]:
    """Stop the wall clock; what is yielded moves it by so many seconds."""
    travel = time_machine.travel(EPOCH, tick=False)
    traveller = travel.start()
    try:
        yield traveller.shift
    finally:
        travel.stop()


@contextlib.contextmanager
def simulated(loop: SimLoop, log: Callable[[str], object]) -> Iterator[None]:
    """Give the target a simulated process; `log` gets what it prints."""
    chance = random.getstate()
    environment = dict(os.environ)
    with contextlib.ExitStack() as stack:
        for owner, name, replacement in _replacements(loop):
            stack.enter_context(patch.object(owner, name, replacement))
        stack.enter_context(contextlib.redirect_stdout(_Output(sys.stdout, log)))
        stack.enter_context(contextlib.redirect_stderr(_Output(sys.stderr, log)))
        stack.enter_context(Refusals(loop.interrupt))
        try:
            yield
        finally:
            random.setstate(chance)
            os.environ.clear()
            os.environ.update(environment)


def _replacements(loop: SimLoop) -> list[tuple[object, str, object]]:
    clock = _Clock(loop)
    seed = random.Random.seed
    return [
        (time, "monotonic", clock.monotonic),
        (time, "monotonic_ns", clock.monotonic_ns),
        (time, "sleep", clock.sleep),
        (os, "urandom", _urandom(os.urandom)),
        (random, "_urandom", _urandom(os.urandom)),
        (random.Random, "seed", _seeded(seed)),
        (signal, "signal", _set_handler(signal.signal)),
        (signal, "getsignal", _get_handler(signal.getsignal)),
        (signal, "raise_signal", _raise_signal(signal.raise_signal)),
        (os, "_exit", _exit(os._exit)),
        (os, "kill", _kill(os.kill)),
        (anyio.to_thread, "run_sync", _run_sync(anyio.to_thread.run_sync)),
    ]


def seed_chance(life: Life) -> None:
    """A new process: the functions of `random` begin anew."""
    random.seed(life.rng.getrandbits(256))


class _Clock:
    """Virtual for the thread of the loop, real for the others."""

    def __init__(self, loop: SimLoop) -> None:
        self._loop = loop
        self._thread = threading.get_ident()
        self._monotonic = time.monotonic
        self._monotonic_ns = time.monotonic_ns
        self._sleep = time.sleep

    def monotonic(self) -> float:
        if threading.get_ident() != self._thread:
            return self._monotonic()
        return self._loop.time()

    def monotonic_ns(self) -> int:
        if threading.get_ident() != self._thread:
            return self._monotonic_ns()
        return int(self._loop.time() * 1e9)

    def sleep(self, seconds: float) -> None:
        if LIFE.get() is None:
            self._sleep(seconds)
        else:
            self._loop.block(seconds)


def _urandom(real: Callable[[int], bytes]) -> Callable[[int], bytes]:
    def urandom(size: int, /) -> bytes:
        life = LIFE.get()
        return real(size) if life is None else life.rng.randbytes(size)

    return urandom


def _seeded(real: Callable[..., None]) -> Callable[..., None]:
    """Without a seed, one from the life's own chance instead of the machine's."""

    def seed(self: random.Random, a: Any = None, version: int = 2) -> None:
        life = LIFE.get()
        if a is None and life is not None:
            a = life.rng.getrandbits(256)
        real(self, a, version)

    return seed


def _set_handler(real: Callable[..., Any]) -> Callable[..., Any]:
    def set_handler(number: int, handler: Any, /) -> Any:
        life = LIFE.get()
        if life is None:
            return real(number, handler)
        before = life.signals.get(number, signal.SIG_DFL)
        life.signals[number] = handler
        return before

    return set_handler


def _get_handler(real: Callable[..., Any]) -> Callable[..., Any]:
    def get_handler(number: int, /) -> Any:
        life = LIFE.get()
        return real(number) if life is None else life.signals.get(number, 0)

    return get_handler


def _raise_signal(real: Callable[[int], None]) -> Callable[[int], None]:
    def raise_signal(number: int, /) -> None:
        if LIFE.get() is None:
            real(number)
        else:
            deliver(number)

    return raise_signal


def deliver(number: int) -> None:
    """Have the current life handle a signal, as Python does by default if it must."""
    life = LIFE.get()
    assert life is not None
    handler = life.signals.get(number, signal.SIG_DFL)
    if callable(handler):
        handler(number, None)
    elif handler != signal.SIG_IGN:
        life.end(-number)


def _kill(real: Callable[[int, int], None]) -> Callable[[int, int], None]:
    def kill(pid: int, number: int, /) -> None:
        if LIFE.get() is None or pid != os.getpid():
            real(pid, number)
        else:
            deliver(number)

    return kill


def _exit(real: Callable[[int], Any]) -> Callable[[int], Any]:
    def exit_at_once(status: int) -> None:
        life = LIFE.get()
        if life is None:
            real(status)
        else:
            life.end(status)
            raise SystemExit(status)

    return exit_at_once


def _run_sync(real: Callable[..., Any]) -> Callable[..., Any]:
    """Starlette's worker threads: the call is made on the loop, as in to_thread."""

    async def run_sync(func: Callable[..., Any], *args: Any, **options: Any) -> Any:
        if LIFE.get() is None:
            return await real(func, *args, **options)
        import asyncio

        return await asyncio.to_thread(func, *args)

    return run_sync


class _Output:
    """The target's prints go to its log."""

    def __init__(self, real: TextIO, log: Callable[[str], object]) -> None:
        self._real = real
        self._log = log

    def write(self, text: str) -> int:
        if LIFE.get() is None:
            return self._real.write(text)
        self._log(text)
        return len(text)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)
