"""The oracle: from a history alone, what held, what broke and what stayed unclear.

`judge` is pure and total: it never raises for what a history says. A rule that
crashes leaves its requirement unknown and the case "could not run".
"""

from harness.checkers.judge import judge

__all__ = ["judge"]
