"""Trouble of the harness itself; what a target does wrong is never raised."""


class HarnessError(Exception):
    """Nothing can be said about the target; the message says what to do."""


class BadInput(HarnessError):
    """A flag, target file or stored history is unusable (exit status 2)."""


class CouldNotRun(HarnessError):
    """A case or a run could not be carried out (exit status 3, never "passed")."""


class NotApplicable(Exception):
    """This case cannot exist for this target or on this arm; the message says why."""


class Unreached(CouldNotRun):
    """A bounded wait of a scenario ended before its condition held."""
