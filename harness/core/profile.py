"""The four designs of docs/protocol.md section 2, and what sets them apart."""

from enum import StrEnum


class Profile(StrEnum):
    """Each is judged by the rows of section 4 that name it."""

    NAIVE = "naive"
    BROADCAST = "broadcast"
    LOG = "log"
    PRIVATE = "private"


PERSONAL = (Profile.LOG, Profile.PRIVATE)
"""A channel for each uid, which a cookie carries; support writes by a call of its own.

The others have one channel for everybody."""

WINDOWED = (Profile.NAIVE, Profile.BROADCAST)
"""The snapshot is /init, a window over the last messages; ids are the window's."""

CHANGING = (Profile.NAIVE, Profile.BROADCAST, Profile.PRIVATE)
"""Messages can be updated and deleted."""

RESUMABLE = (Profile.BROADCAST, Profile.LOG, Profile.PRIVATE)
"""Events carry ids, and a client comes back with the last."""

RESETTING = (Profile.BROADCAST, Profile.PRIVATE)
"""Continuity can be lost, and then a client is told."""

USER = "user"
"""The user, in a personal profile, of whoever is not said to be of another."""
