"""The whole suite on either arm, as a user runs it."""

import subprocess
import tempfile
import time

from benchmarks.help_text import UNBROKEN
from benchmarks.measure import Measured


def measure() -> list[Measured]:
    """Wall time of one `unbroken run` on each arm, with the default number of jobs."""
    return [_timed(arm) for arm in ("live", "sim")]


def _timed(arm: str) -> Measured:
    with tempfile.TemporaryDirectory(prefix="unbroken-bench-") as out:
        command = [UNBROKEN, "run", "--arm", arm, "--out", out]
        began = time.perf_counter()
        done = subprocess.run(command, capture_output=True)
        took_s = time.perf_counter() - began
    return Measured(f"unbroken run --arm {arm} (exit {done.returncode})", took_s)
