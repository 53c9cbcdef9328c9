"""Ends the case of a target that does not give control back, such as an endless loop.

The loop cannot do it: it is not asked any more. A thread of the harness looks whether
the loop still makes steps, and sends a signal to the main thread when it does not; the
signal's handler raises in the midst of what the target does.
"""

import contextlib
import faulthandler
import os
import signal
import sys
import threading
from collections.abc import Iterator
from types import FrameType

from harness.sim.life import LIFE
from harness.sim.loop import SimLoop
from harness.sim.modules import LIBRARIES, OURS
from harness.sim.waiting import place

STUCK_S = 10.0
"""How long a target may keep control, in real time."""

LOOKS = 10
"""Looks in that time: a machine that was suspended meanwhile counts as one."""

TRIES = 5
"""A target may catch what is raised, and go on: after so many, the process ends."""

SIGNAL = signal.SIGURG
"""Nobody's, and harmless when it comes late."""

GAVE_UP = 3
"""The exit status of a process that cannot be had back."""


class Stuck(BaseException):
    """Raised in the midst of a target that does not give control back."""


@contextlib.contextmanager
def watched(loop: SimLoop, *, after_s: float = STUCK_S) -> Iterator[None]:
    """Watch a loop while it runs; outside of the main thread this does nothing."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    watch = _Watch(loop, after_s)
    before = signal.signal(SIGNAL, watch.interrupt)
    watch.start()
    try:
        yield
    finally:
        watch.stop()
        signal.signal(SIGNAL, before)


class _Watch(threading.Thread):
    """Looks, in a thread of its own, whether the loop makes steps."""

    def __init__(self, loop: SimLoop, after_s: float) -> None:
        super().__init__(name="stuck watch", daemon=True)
        self._loop = loop
        self._after_s = after_s
        self._main = threading.get_ident()
        self._over = threading.Event()
        self._raised = 0
        self._unheard = 0

    def run(self) -> None:
        """Look until it is over; from the first signal on, every look sends one."""
        seen, same = -1, 0
        while not self._over.wait(self._after_s / LOOKS):
            steps = self._loop.steps
            same = same + 1 if steps == seen else 0
            if steps != seen:
                self._raised = self._unheard = 0
            seen = steps
            if same >= LOOKS:
                self._interrupt_main()

    def _interrupt_main(self) -> None:
        frames = _frames(sys._current_frames().get(self._main))
        deaf = self._unheard > LOOKS and any(map(_is_theirs, frames))
        if deaf or self._raised >= TRIES:
            self._give_up()
        self._unheard += 1
        signal.pthread_kill(self._main, SIGNAL)

    def stop(self) -> None:
        """It is over; a signal that was sent is still handled here."""
        self._over.set()
        self.join()

    def interrupt(self, number: int, frame: FrameType | None) -> None:
        """The signal's handler: raises, if it is the target that has control."""
        del number
        self._unheard = 0
        if LIFE.get() is None or self._over.is_set():
            return
        self._raised += 1
        why = (
            f"the target did not give control back for {self._after_s:g} s, in "
            f"{_place(frame)}; on the sim arm a call that blocks, blocks everything: "
            "mend it, or run it with --arm live"
        )
        self._loop.interrupt(why)
        raise Stuck(why)

    def _give_up(self) -> None:
        """There is no way back but the process's end."""
        place = _place(sys._current_frames().get(self._main))
        text = f"unbroken: the target does not let go of control, in {place}\n"
        os.write(2, text.encode())
        faulthandler.dump_traceback(2, all_threads=False)
        os._exit(GAVE_UP)


def _place(frame: FrameType | None) -> str:
    """The innermost line of the target, or of a library that it calls."""
    frames = _frames(frame)
    theirs = [one for one in frames if _is_theirs(one)]
    for one in (theirs or frames)[:1]:
        return place(one)
    return "code without a frame"


def _frames(frame: FrameType | None) -> list[FrameType]:
    """The innermost first, as far as the step of the loop that they belong to."""
    found = []
    while frame is not None and frame.f_code is not SimLoop._run.__code__:
        found.append(frame)
        frame = frame.f_back
    return found


def _is_theirs(frame: FrameType) -> bool:
    package = frame.f_globals.get("__name__", "").partition(".")[0]
    library = frame.f_code.co_filename.startswith((*LIBRARIES, "<frozen"))
    return package not in OURS and not library
