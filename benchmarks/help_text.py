"""How soon `unbroken --help` speaks, against an interpreter that does nothing."""

import subprocess
import sys
from pathlib import Path

from benchmarks.measure import Measured, paired

UNBROKEN = Path(sys.executable).with_name("unbroken")


def measure() -> list[Measured]:
    """`--help` against `python -c pass`."""
    return [
        paired(
            "unbroken --help / python -c pass",
            lambda: subprocess.run([UNBROKEN, "--help"], capture_output=True),
            lambda: subprocess.run([sys.executable, "-c", "pass"]),
            runs=15,
        )
    ]
