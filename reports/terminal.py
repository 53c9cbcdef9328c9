"""What the command line prints: one place to import it from."""

from reports.closing import closing
from reports.live import LiveProgress
from reports.matrix import SPARED, MutantRow, matrix

__all__ = ["SPARED", "LiveProgress", "MutantRow", "closing", "matrix"]
