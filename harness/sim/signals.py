"""Signals of the simulated process to itself, and its ways to end itself."""

import asyncio
import os
import signal
from typing import Any, NoReturn

from harness.sim.life import LIFE, Life
from harness.sim.refusal import refuse

_real_signal = signal.signal
_real_getsignal = signal.getsignal
_real_raise_signal = signal.raise_signal
_real_kill = os.kill
_real_exit = os._exit
_real_abort = os.abort
_real_alarm = signal.alarm
_real_setitimer = signal.setitimer

HARMLESS = (0, signal.SIGCHLD, signal.SIGCONT, signal.SIGURG, signal.SIGWINCH)
"""Without a handler these do nothing; 0 is no signal, but a question."""


def set_handler(number: int, handler: Any, /) -> Any:
    """`signal.signal`."""
    life = LIFE.get()
    if life is None:
        return _real_signal(number, handler)
    before = life.signals.get(number, signal.SIG_DFL)
    life.signals[number] = handler
    return before


def get_handler(number: int, /) -> Any:
    """`signal.getsignal`."""
    life = LIFE.get()
    if life is None:
        return _real_getsignal(number)
    return life.signals.get(number, signal.SIG_DFL)


def raise_signal(number: int, /) -> None:
    """`signal.raise_signal`."""
    if LIFE.get() is None:
        _real_raise_signal(number)
    else:
        deliver(number)


def kill(pid: int, number: int, /) -> None:
    """`os.kill`: to itself it is simulated, to others it is refused by an audit."""
    if LIFE.get() is None or pid != os.getpid():
        _real_kill(pid, number)
    else:
        deliver(number)


def deliver(number: int) -> None:
    """Have the current life handle a signal, as Python does by default if it must."""
    life = LIFE.get()
    assert life is not None
    handler = life.signals.get(number, signal.SIG_DFL)
    if callable(handler):
        handler(number, None)
    elif handler != signal.SIG_IGN and number not in HARMLESS:
        _end(life, -number)


def exit_at_once(status: int) -> None:
    """`os._exit`."""
    life = LIFE.get()
    if life is None:
        _real_exit(status)
    else:
        _end(life, status)


def abort() -> None:
    """`os.abort`."""
    life = LIFE.get()
    if life is None:
        _real_abort()
    else:
        _end(life, -signal.SIGABRT)


def alarm(seconds: int, /) -> int:
    """`signal.alarm`: its signal would be the harness's."""
    return _real_alarm(seconds) if LIFE.get() is None else refuse("set an alarm")


def setitimer(which: int, seconds: float, interval: float = 0.0, /) -> Any:
    """`signal.setitimer`, as `signal.alarm`."""
    if LIFE.get() is None:
        return _real_setitimer(which, seconds, interval)
    return refuse("set an interval timer")


def _end(life: Life, status: int) -> NoReturn:
    """The life is over, and nothing of what follows in its code is done."""
    loop: Any = asyncio.get_running_loop()
    loop.end_life(life, status)
    raise SystemExit(status)


REPLACEMENTS = [
    (signal, "signal", set_handler),
    (signal, "getsignal", get_handler),
    (signal, "raise_signal", raise_signal),
    (signal, "alarm", alarm),
    (signal, "setitimer", setitimer),
    (os, "_exit", exit_at_once),
    (os, "abort", abort),
    (os, "kill", kill),
]
