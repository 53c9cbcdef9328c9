"""How likely what is drawn: one table, tuned against the edges that get reached.

Each list is drawn from evenly, so an entry counts as often as it stands or as its
number says; the first is what shrinking ends at, so the plainest comes first.
"""

from harness.core.fault import Aim, FaultKind
from harness.core.profile import USER
from harness.core.steps import CursorKind, TextKind, Whose

STEPS: dict[str, int] = {
    "write": 10,
    "away": 14,
    "restart": 9,
    "cut": 6,
    "cut-at": 6,
    "cut-next": 8,
    "update": 6,
    "delete": 5,
    "burst": 9,
    "during": 14,
    "slow-replay": 5,
    "late-change": 2,
    "probe": 10,
    "switch": 4,
    "open": 3,
    "snapshot": 3,
    "page-back": 2,
    "bad-input": 7,
    "ping": 2,
    "wait": 3,
    "pause": 2,
}
"""Steps, on the top level and in blocks; no blocks at the deepest level. `slow-replay`
is a block that holds a replay up for something to happen in the middle of it, and
`late-change` one in which a message changes that is older than its record."""

FAULTS: dict[FaultKind, int] = {
    FaultKind.REFUSE: 3,
    FaultKind.STALL: 4,
    FaultKind.BLACK_HOLE: 4,
    FaultKind.PARTITION: 3,
    FaultKind.LATENCY: 3,
    FaultKind.BANDWIDTH: 2,
    FaultKind.SLICE: 3,
    FaultKind.SLOW_CLOSE: 3,
    FaultKind.LOST_ACK: 3,
}

AMOUNTS: dict[FaultKind, tuple[int, ...]] = {
    FaultKind.LATENCY: (300, 120, 700),
    FaultKind.BANDWIDTH: (8, 4, 2),
    FaultKind.SLICE: (7, 5, 16, 32),
    FaultKind.SLOW_CLOSE: (600, 1_500),
}

CURSORS: dict[CursorKind, int] = {
    CursorKind.HEAD: 1,
    CursorKind.OLD: 3,
    CursorKind.EVICTED: 3,
    CursorKind.PREVIOUS_LIFE: 3,
    CursorKind.REUSED: 3,
    CursorKind.FUTURE: 3,
    CursorKind.FOREIGN: 3,
    CursorKind.MALFORMED: 2,
}

AIMS: dict[Aim, int] = dict.fromkeys(Aim, 1)

LIMITS: tuple[int, ...] = (2, 3, 4, 5, 6, 8, 12)
TABS: tuple[int, ...] = (1, 2, 2, 3)
"""Clients that are there from the start."""

PINGED: dict[Whose, int] = {Whose.NOBODYS: 1, Whose.CLOSED: 3, Whose.OPEN: 3}

TEXTS: dict[TextKind, int] = {TextKind.PLAIN: 15} | {
    kind: 1 for kind in TextKind if kind is not TextKind.PLAIN
}

USERS: tuple[str, ...] = (USER, USER, USER, "other", "other", "use", "USER", "u_er")
"""Whose tabs and probes are, where each user has a channel: some are nearly alike."""

RETENTIONS_MS: tuple[int, ...] = (1_000, 2_000)
"""How long a personal record keeps an event: some of the waits are longer."""

MISSED: tuple[int, ...] = (0, 1, -1, 0, 1, 2)
"""Events missed by who is away, counted from the log's limit: the edge is there."""

FEW: tuple[int, ...] = (1, 0, 2, 3)
"""Events missed, counted from nothing."""

AT_THE_EDGE = 3
"""In so many of four draws the events missed lie at the log's limit."""

COUNTS: tuple[int, ...] = (1, 1, 1, 2, 3)
LETTERS: tuple[int, ...] = (0, 0, 0, 0, 0, 0, 1_500, 6_000)
BURSTS: tuple[int, ...] = (4, 8, 12, 20)
IN_BURSTS: dict[str, int] = {"": 4, "open": 2, "restart": 3}
"""What surely happens in a burst, beside what else is drawn for it."""

WRITERS: tuple[int, ...] = (2, 1, 3, 5)
WAITS_MS: tuple[int, ...] = (100, 20, 600, 1_600, 3_200)
PAUSES_MS: tuple[int, ...] = (300, 2_600, 50, 1_200)
DOWN_MS: tuple[int, ...] = (0, 0, 0, 150, 800)
AFTER_MS: tuple[int | None, ...] = (None, None, 0, 1, 2, 3, 4, 5, 7, 10, 15)
"""A write begun so long before a restart; None for no such write."""

WIRE_BYTES: tuple[tuple[int, int], ...] = ((1, 40), (41, 400))
"""Ranges of the bytes that a cut lets through on an open stream."""

NEXT_BYTES: tuple[tuple[int, int], ...] = (
    (340, 700),  # in the replay
    (284, 330),  # the reset, where one is due
    (701, 1_500),  # further in the replay
    (200, 284),  # the end of the head, the ping frame
    (1, 199),  # before the headers are whole
)
"""Ranges of the bytes that a cut lets through on the connection that comes back."""

REPLAY_LETTERS = 1_000
REPLAY_KILOBYTES: tuple[int, ...] = (4, 3, 8)
REPLAY_WAITS_MS: tuple[int, ...] = (250, 400, 600)
"""A replay of such messages on such a line is not over when the wait is."""

LATE_MS, SWEPT_MS = 3_200, 900
"""Longer than any retention drawn; longer than from one sweep to the next."""

REPLAY_STEPS: dict[str, int] = {
    "restart": 4,
    "cut": 2,
    "during": 6,
    "pause": 1,
    "switch": 1,
    "write": 1,
}
"""What happens in the middle of a replay."""

SILENT = 10
"""One tab in so many never pings."""

RUNS, RUN = 3, 4
"""The top level is so many runs of at most so many steps."""

INNER_STEPS = 3
DEPTH = 2
"""Most steps in a block, and how deep blocks lie in blocks."""
