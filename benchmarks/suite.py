"""The whole live suite, as a user runs it."""

import subprocess
import tempfile
import time

from benchmarks.help_text import UNBROKEN
from benchmarks.measure import Measured


def measure() -> list[Measured]:
    """Wall time of one `unbroken run` with the default number of jobs."""
    with tempfile.TemporaryDirectory(prefix="unbroken-bench-") as out:
        began = time.perf_counter()
        done = subprocess.run([UNBROKEN, "run", "--out", out], capture_output=True)
        took_s = time.perf_counter() - began
    return [Measured(f"unbroken run (exit {done.returncode})", took_s)]
