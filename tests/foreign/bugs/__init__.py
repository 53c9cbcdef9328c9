"""Deliberate bugs of the foreign server, by name: importing the package knows all."""

from tests.foreign.bugs import chat, streams, support
from tests.foreign.bugs.bug import BUGS

__all__ = ["BUGS", "chat", "streams", "support"]
