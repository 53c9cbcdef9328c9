"""Faults as plain values: what, on whom, when, with which parameters.

Source: the fault list of docs/protocol.md section 7. A fault is written into the
history when it starts and again with its observed effect; one whose effect was not
observed makes the case "could not run".
"""

from enum import StrEnum
from typing import Protocol

import msgspec


class FaultKind(StrEnum):
    """The closed set of faults that a world can carry out."""

    CUT = "cut"
    LATENCY = "latency"
    BANDWIDTH = "bandwidth"
    SLICE = "slice"
    STALL = "stall"
    BLACK_HOLE = "black-hole"
    REFUSE = "refuse"
    LOST_ACK = "lost-acknowledgement"
    SLOW_CLOSE = "slow-close"
    PARTITION = "partition"
    TERM = "term"
    KILL = "kill"
    PAUSE = "pause"
    MIDDLEBOX_RELOAD = "middlebox-reload"
    MIDDLEBOX_RESTART = "middlebox-restart"
    STORAGE_AWAY = "storage-away"
    STORAGE_SLOW = "storage-slow"
    STORAGE_FULL = "storage-full"
    COMMIT_CUT = "commit-cut"


REFUSING = (FaultKind.REFUSE, FaultKind.PARTITION)
"""New connections are refused while these last."""

LOSSLESS = (FaultKind.LATENCY, FaultKind.BANDWIDTH, FaultKind.SLICE, FaultKind.STALL)
"""Healed, every byte still comes."""

SWALLOWING = (FaultKind.BLACK_HOLE, FaultKind.PARTITION, FaultKind.LOST_ACK)
"""Bytes are lost, so the connections end when these are healed."""

REPLACING = (FaultKind.MIDDLEBOX_RELOAD, FaultKind.MIDDLEBOX_RESTART)
"""The streams through it end with the part of the middlebox that kept them."""

OF_STORAGE = (
    FaultKind.STORAGE_AWAY,
    FaultKind.STORAGE_SLOW,
    FaultKind.STORAGE_FULL,
    FaultKind.COMMIT_CUT,
)
"""Between the target and its database; no connection of a client is touched."""

BARRING = (FaultKind.STORAGE_AWAY, FaultKind.STORAGE_FULL)
"""While these hold, no write that begins can be committed."""


class Close(StrEnum):
    """How a cut shows at the client's socket."""

    FIN = "fin"
    RST = "rst"


class Aim(StrEnum):
    """Where inside the byte stream of frames a cut lands."""

    BETWEEN_FRAMES = "between frames"
    EVENT_LINE = "inside the event line"
    ID_LINE = "inside the id line"
    DATA_LINE = "inside the data line"
    UTF8_CHARACTER = "inside a UTF-8 character"
    BEFORE_BLANK_LINE = "before the blank line"


class When(StrEnum):
    """Which connections a fault takes hold of."""

    NOW = "now"
    NEXT = "next connection"


class Fate(StrEnum):
    """What becomes of a commit whose connection is cut before its answer comes."""

    KEPT = "kept"
    LOST = "lost"


class Named(Protocol):
    """Anything with a name in the history: a client, a writer."""

    @property
    def name(self) -> str: ...


class Fault(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One fault: `whom` names its victims; unused parameters stay at their default."""

    kind: FaultKind
    whom: tuple[str, ...] = ()
    when: When = When.NOW
    close: Close = Close.FIN
    after_bytes: int = 0
    aim: Aim | None = None
    delay_ms: int = 0
    kilobytes_per_s: int = 0
    slice_bytes: int = 0
    fate: Fate | None = None

    def says(self) -> str:
        """One plain phrase for reports: "cut alice (rst, after 12 bytes)"."""
        parts = [
            f"{name.replace('_', ' ')} {value}"
            for name, value in msgspec.structs.asdict(self).items()
            if name not in ("kind", "whom") and value != _DEFAULTS[name]
        ]
        whom = " of " + ", ".join(self.whom) if self.whom else ""
        return f"{self.kind}{whom}" + (f" ({', '.join(parts)})" if parts else "")


_DEFAULTS = msgspec.structs.asdict(Fault(kind=FaultKind.CUT))


def _names(whom: tuple[Named, ...]) -> tuple[str, ...]:
    return tuple(one.name for one in whom)


def cut(
    *whom: Named,
    close: Close = Close.FIN,
    after_bytes: int = 0,
    when: When = When.NOW,
    aim: Aim | None = None,
) -> Fault:
    """Cut the stream at once, or after so many more bytes of the wire."""
    return Fault(
        kind=FaultKind.CUT,
        whom=_names(whom),
        close=close,
        after_bytes=after_bytes,
        when=when,
        aim=aim,
    )


def latency(*whom: Named, delay_ms: int) -> Fault:
    """Every byte towards the client arrives this much later; none is lost."""
    return Fault(kind=FaultKind.LATENCY, whom=_names(whom), delay_ms=delay_ms)


def bandwidth(*whom: Named, kilobytes_per_s: int) -> Fault:
    """Bytes towards the client trickle at this rate; none is lost."""
    return Fault(
        kind=FaultKind.BANDWIDTH, whom=_names(whom), kilobytes_per_s=kilobytes_per_s
    )


def slices(*whom: Named, slice_bytes: int) -> Fault:
    """Bytes towards the client arrive in packets of about this size."""
    return Fault(kind=FaultKind.SLICE, whom=_names(whom), slice_bytes=slice_bytes)


def stall(*whom: Named) -> Fault:
    """Silence until healed; then every byte arrives."""
    return Fault(kind=FaultKind.STALL, whom=_names(whom))


def black_hole(*whom: Named) -> Fault:
    """The open connections swallow every byte both ways and stay open."""
    return Fault(kind=FaultKind.BLACK_HOLE, whom=_names(whom))


def refuse(*whom: Named) -> Fault:
    """New connections are refused; open ones live on."""
    return Fault(kind=FaultKind.REFUSE, whom=_names(whom))


def lost_acknowledgement(*whom: Named) -> Fault:
    """Requests arrive and are carried out; their answers do not come back."""
    return Fault(kind=FaultKind.LOST_ACK, whom=_names(whom))


def slow_close(*whom: Named, delay_ms: int) -> Fault:
    """When the server closes, the client learns of it this much later."""
    return Fault(kind=FaultKind.SLOW_CLOSE, whom=_names(whom), delay_ms=delay_ms)


def partition(*whom: Named) -> Fault:
    """Open connections go silent, new ones are refused, until healed."""
    return Fault(kind=FaultKind.PARTITION, whom=_names(whom))


def storage_away() -> Fault:
    """The database refuses every read and every write, as long as it is away."""
    return Fault(kind=FaultKind.STORAGE_AWAY)


def storage_slow(*, delay_ms: int) -> Fault:
    """The database lets whoever asks wait up to so long; nothing is refused."""
    return Fault(kind=FaultKind.STORAGE_SLOW, delay_ms=delay_ms)


def storage_full() -> Fault:
    """The database has no room: it can be read, and refuses every write."""
    return Fault(kind=FaultKind.STORAGE_FULL)


def commit_cut(fate: Fate) -> Fault:
    """The way to the database is cut while it commits: nobody is told the outcome."""
    return Fault(kind=FaultKind.COMMIT_CUT, fate=fate)
