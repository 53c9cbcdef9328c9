"""What a target's process holds, measured from outside it."""

from enum import StrEnum

import msgspec


class Moment(StrEnum):
    """When in a case of load a measure was taken."""

    FRESH = "fresh"  # before any load
    WARM = "warm"  # after a first load has gone: pools and caches are filled
    FULL = "full"  # under load
    LEFT = "left"  # after the load has vanished
    FILLED = "filled"  # after that, with caches full of what nobody is there to get


class Usage(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Counts of a target's process and of all that it has started.

    None where this arm or this target cannot tell. `rss_bytes` is resident memory,
    `fds` counts open files and sockets, `connections` those of clients, `tasks`
    what a simulated server has under way, `objects` what is alive of its own classes;
    what a simulated one had before it was first measured is left out of its `fds` and
    `objects`.
    """

    rss_bytes: int | None = None
    connections: int | None = None
    fds: int | None = None
    threads: int | None = None
    tasks: int | None = None
    objects: int | None = None
