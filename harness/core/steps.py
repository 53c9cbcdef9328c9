"""The steps of a schedule: what happens in a random case, as plain data.

Where each user has a chat, who writes without a tab, asks or bursts does so in the
first user's; a tab writes in its own.
Whom and how much, never when on a clock: each step begins when the one before it has
ended, so that a schedule means the same on both arms. Bounds keep a case short.
"""

from enum import StrEnum
from typing import Annotated, Literal

import msgspec

from harness.core.fault import Aim, Close, FaultKind
from harness.core.profile import USER

Name = Annotated[str, msgspec.Meta(pattern=r"^[a-z][a-z0-9-]{0,19}$")]
Label = Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9_-]{1,20}$")]
Small = Annotated[int, msgspec.Meta(ge=0, le=50)]
Positive = Annotated[int, msgspec.Meta(ge=1, le=50)]
Wire = Annotated[int, msgspec.Meta(ge=1, le=4_000)]
Letters = Annotated[int, msgspec.Meta(ge=0, le=9_000)]
Briefly = Annotated[int, msgspec.Meta(ge=0, le=5_000)]
Whom = Annotated[tuple[Name, ...], msgspec.Meta(min_length=1, max_length=8)]

LASTING = {
    FaultKind.LATENCY: (50, 2_000),
    FaultKind.BANDWIDTH: (1, 16),
    FaultKind.SLICE: (1, 64),
    FaultKind.STALL: (0, 0),
    FaultKind.BLACK_HOLE: (0, 0),
    FaultKind.REFUSE: (0, 0),
    FaultKind.LOST_ACK: (0, 0),
    FaultKind.SLOW_CLOSE: (100, 4_000),
    FaultKind.PARTITION: (0, 0),
}
"""Faults that a block may lie under, with the bounds of their `amount`: milliseconds,
kilobytes a second, bytes a slice; 0 where there is nothing to say."""


class Begins(StrEnum):
    """What a new tab asks for first."""

    SNAPSHOT = "snapshot"
    STREAM = "stream"


class CursorKind(StrEnum):
    """Which cursor a probe shows: where it stands against the log."""

    HEAD = "head"
    OLD = "old"  # of this life, everything after it is still kept, but for its age
    EVICTED = "evicted"
    PREVIOUS_LIFE = "previous-life"
    REUSED = "reused"  # of an earlier life, with a number that this one has reached
    FUTURE = "future"
    FOREIGN = "foreign"
    MALFORMED = "malformed"


class Place(StrEnum):
    """How a probe shows its cursor; BOTH: this one in the header, head in the query."""

    HEADER = "header"
    QUERY = "query"
    BOTH = "both"


class Whose(StrEnum):
    """Which connection is pinged by hand."""

    NOBODYS = "nobodys"  # it never was
    CLOSED = "closed"
    OPEN = "open"  # the first user's


class TextKind(StrEnum):
    """What is odd about a message's text, which must come through as it is."""

    PLAIN = "plain"
    SEPARATORS = "separators"
    BLANKS = "blanks"
    LINE_ENDS = "line-ends"
    MARKUP = "markup"
    COMPOSED = "composed"
    MARKS = "marks"
    FRAMES = "frames"
    LONG = "long"
    WIDE = "wide"


class BadKind(StrEnum):
    """What is wrong with a request that must be refused."""

    NO_BODY = "no-body"
    NO_JSON = "no-json"
    CUT_SHORT = "cut-short"
    JSON_AND_MORE = "json-and-more"
    NOT_UTF8 = "not-utf8"
    ARRAY = "array"
    STRING = "string"
    NULL = "null"
    DEEP = "deeply-nested"
    NO_TEXT = "no-text"
    NO_AUTHOR = "no-author"
    WRONG_TYPE = "wrong-type"
    NULL_TEXT = "null-text"
    LIST_FOR_TEXT = "list-for-text"
    EMPTY_TEXT = "empty-text"
    TEXT_TOO_LONG = "text-too-long"
    TEXT_ONE_TOO_LONG = "text-one-too-long"
    NUMBER_FOR_AUTHOR = "number-for-author"
    EMPTY_AUTHOR = "empty-author"
    AUTHOR_TOO_LONG = "author-too-long"
    NUMBER_FOR_NONCE = "number-for-nonce"
    NONCE_TOO_LONG = "nonce-too-long"
    BODY_TOO_LARGE = "body-too-large"
    UNSIZED_BODY = "body-too-large-of-untold-length"
    HALF_A_BODY = "half-a-body"
    PATCH_NO_JSON = "patch-no-json"
    EMPTY_PATCH = "empty-patch"
    BAD_PATCH = "bad-patch"
    PATCH_EMPTY_TEXT = "patch-empty-text"
    PATCH_TEXT_TOO_LONG = "patch-text-too-long"
    PATCH_ARRAY = "patch-array"
    PATCH_NOT_UTF8 = "patch-not-utf8"
    PATCH_TOO_LARGE = "patch-too-large"
    PATCH_OF_A_WORD = "patch-of-a-word"
    DELETE_OF_A_WORD = "delete-of-a-word"
    PATCH_OF_MORE = "patch-of-an-id-and-more"
    PATCH_OF_NO_UTF8 = "patch-of-no-utf8"
    PATCH_OF_A_HUGE_NUMBER = "patch-of-a-huge-number"
    BAD_PAGE = "bad-page"
    NO_PAGE = "no-page"
    EMPTY_PAGE = "empty-page"
    HUGE_PAGE = "huge-page"
    HALF_A_PAGE = "half-a-page"
    NO_PING_ID = "no-ping-id"
    NO_TOKEN = "no-token"
    SCHEME_ALONE = "scheme-alone"
    HALF_A_TOKEN = "half-a-token"
    OTHER_TOKEN = "other-token"
    MORE_THAN_A_TOKEN = "more-than-a-token"
    OTHER_SCHEME = "other-scheme"


class _Step(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    omit_defaults=True,
    forbid_unknown_fields=True,
    tag_field="step",
):
    """Unknown keys are refused: a misspelt step must not run as another one."""


class Tab(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    omit_defaults=True,
    forbid_unknown_fields=True,
):
    """A client; its cuts are all of one kind, `close`. A silent one never pings.

    In a personal profile it is a tab of this `user`.
    """

    name: Name
    begins: Begins = Begins.SNAPSHOT
    close: Close = Close.FIN
    pings: bool = True
    user: Label = USER


class Write(_Step, frozen=True, kw_only=True, tag="write"):
    """Messages one after the other; `by` is a client, "" somebody without a stream."""

    by: Name | Literal[""] = ""
    count: Positive = 1
    letters: Letters = 0
    text: TextKind = TextKind.PLAIN


class Update(_Step, frozen=True, kw_only=True, tag="update"):
    """Change the message `back` places before the newest known, evicted or not."""

    back: Small = 0
    by: Name | Literal[""] = ""


class Delete(_Step, frozen=True, kw_only=True, tag="delete"):
    """Delete the message `back` places before the newest known, evicted or not.

    Perhaps `twice`, with two requests at once.
    """

    back: Small = 0
    by: Name | Literal[""] = ""
    twice: bool = False


class Cut(_Step, frozen=True, kw_only=True, tag="cut"):
    """Cut streams at once, or after so many more bytes of the wire."""

    whom: Whom
    after_bytes: Annotated[int, msgspec.Meta(ge=0, le=4_000)] = 0


class CutAt(_Step, frozen=True, kw_only=True, tag="cut-at"):
    """Cut a stream at a place of the next event's frame."""

    who: Name
    aim: Aim


class CutNext(_Step, frozen=True, kw_only=True, tag="cut-next"):
    """Cut a stream, write, then cut the connection that comes back as well.

    Its bytes are counted from the first of the answer: head, ping frame, replay. A
    client that `hangs` leaves its connection open and comes back at once.
    """

    who: Name
    after_bytes: Wire
    missed: Small = 0
    hangs: bool = False


class Switch(_Step, frozen=True, kw_only=True, tag="switch"):
    """A client leaves its connection hanging and makes another."""

    who: Name


class Open(_Step, frozen=True, kw_only=True, tag="open"):
    """A new tab comes in."""

    tab: Tab


class PageBack(_Step, frozen=True, kw_only=True, tag="page-back"):
    """Somebody loads the snapshot and pages back to the first message."""


class LoadSnapshot(_Step, frozen=True, kw_only=True, tag="snapshot"):
    """Somebody loads the snapshot."""


class Probe(_Step, frozen=True, kw_only=True, tag="probe"):
    """A stream is asked for with a cursor of this kind, and watched.

    `variant` chooses among the cursors of the kind, which are all of the first user's
    channel, whichever `user` asks.
    """

    cursor: CursorKind
    place: Place = Place.HEADER
    variant: Small = 0
    user: Label = USER


class Bad(_Step, frozen=True, kw_only=True, tag="bad-input"):
    """A request that must be refused and leave no trace.

    By `support` it is sent in the place of the support side, where there is one.
    """

    kind: BadKind
    support: bool = False


class Ping(_Step, frozen=True, kw_only=True, tag="ping"):
    """A ping by hand, by this `user`; perhaps `twice`, with two requests at once."""

    whose: Whose = Whose.NOBODYS
    user: Label = USER
    twice: bool = False


class Wait(_Step, frozen=True, kw_only=True, tag="wait"):
    """Time passes."""

    ms: Briefly


class Pause(_Step, frozen=True, kw_only=True, tag="pause"):
    """The server is frozen (SIGSTOP, SIGCONT)."""

    ms: Briefly


class Restart(_Step, frozen=True, kw_only=True, tag="restart"):
    """The server's life ends and another begins on the same data.

    With `after_ms` a write is begun and not waited for, so long before the end: that
    is how an end comes between commit and send.
    """

    how: Literal["term", "kill"] = "term"
    other_port: bool = False
    down_ms: Briefly = 0
    after_ms: Briefly | None = None


class Burst(_Step, frozen=True, kw_only=True, tag="burst"):
    """Several writers at once, around the steps inside."""

    count: Positive
    writers: Annotated[int, msgspec.Meta(ge=1, le=8)] = 2
    steps: "tuple[Step, ...]" = ()


class Away(_Step, frozen=True, kw_only=True, tag="away"):
    """Clients are cut off and turned away while others write `missed` messages.

    Where each user has a chat, so many are written in each that one of them shows.
    """

    whom: Whom
    missed: Small = 1
    letters: Letters = 0
    steps: "tuple[Step, ...]" = ()


class During(_Step, frozen=True, kw_only=True, tag="during"):
    """A fault lasts over the steps inside; `LASTING` bounds its `amount`."""

    fault: FaultKind
    whom: Whom
    amount: Annotated[int, msgspec.Meta(ge=0, le=4_000)] = 0
    steps: "tuple[Step, ...]" = ()


Step = (
    Write
    | Update
    | Delete
    | Cut
    | CutAt
    | CutNext
    | Switch
    | Open
    | PageBack
    | LoadSnapshot
    | Probe
    | Bad
    | Ping
    | Wait
    | Pause
    | Restart
    | Burst
    | Away
    | During
)


def named_in(step: Step) -> tuple[str, ...]:
    """The clients that a step itself speaks of, not those of the steps inside it."""
    match step:
        case Cut() | Away() | During():
            return step.whom
        case CutAt() | CutNext() | Switch():
            return (step.who,)
        case Write() | Update() | Delete():
            return (step.by,) if step.by else ()
    return ()


def inside(step: Step) -> tuple[Step, ...]:
    """The steps that a block lies around."""
    return step.steps if isinstance(step, Burst | Away | During) else ()
