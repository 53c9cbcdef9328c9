"""The history: append-only records of everything that a verdict rests on.

One JSON object a line, the first a `Header`, the last an `End`. Operations follow
Jepsen: an `Invoke`, then `Ok` (surely happened), `Fail` (surely did not) or `Info`
(may have happened, such as a write whose answer was lost). `n` is the index of the
record in its file, counted from 0; `t_s` is seconds since the run of the case began.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import Any

import msgspec

from harness.core.fault import Fault
from harness.core.limits import Limits, Load, Tolerances
from harness.core.nginx import Nginx
from harness.core.usage import Moment, Usage

FORMAT = "unbroken-history"
VERSION = 2
READABLE = (1, 2)
"""Version 1 knew neither uids nor any profile but broadcast; what it says still counts.
"""

BROKEN_OFF, LEFT = "broken off by the harness", "left in the middle of the body"
"""Why there is no answer that the target could be asked for (`Info.error`)."""

WITNESS = "witness"
"""Name of the client without faults whose stream gives the commit order."""


def witness_of(label: str) -> str:
    """The witness of another uid's channel has a name of its own."""
    return f"{WITNESS} of {label}"


def is_witness(who: str) -> bool:
    """Whether this client is the witness of some channel."""
    return who == WITNESS or who.startswith(f"{WITNESS} of ")


class F(StrEnum):
    """What an operation does (Jepsen's `f`)."""

    CREATE = "create"
    UPDATE = "update"
    DELETE = "delete"
    INIT = "init"  # the snapshot, whichever path it has
    HISTORY = "history"
    PING = "ping"
    BAD_INPUT = "bad-input"
    NO_UID = "no-uid"  # a call without the cookie that it needs
    FAULT = "fault"


class CloseKind(StrEnum):
    """How a connection ended, as the client saw it."""

    END = "end"  # the server ended the response properly
    FIN = "fin"  # the peer closed in the middle of the response, or before it
    RST = "rst"  # connection reset
    REFUSED = "refused"  # no connection was made
    TIMEOUT = "timeout"  # silence past the harness's own bound
    GARBAGE = "garbage"  # not HTTP, or a flood past the harness's own bound
    CLIENT = "client"  # the client closed it


class LifePhase(StrEnum):
    """Steps in the life of a server process."""

    STARTED = "started"
    READY = "ready"
    ENDING = "ending"
    EXITED = "exited"
    PAUSED = "paused"
    RESUMED = "resumed"


class Record(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What every line but the header has."""

    n: int
    t_s: float


class Header(
    msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag="header"
):
    """The declared facts that the verdict is judged against.

    `requirements` are those that the scenario is marked with: each must have been
    exercised, or the case's verdict is unknown.
    """

    format: str
    version: int
    scenario: str
    title: str = ""
    requirements: tuple[str, ...]
    arm: str
    seed: int
    target: str
    profile: str
    limits: Limits
    tolerances: Tolerances
    load: Load = Load()
    retry_ms: int
    mutant: str = ""
    started_at: str = ""
    versions: dict[str, str] = {}


class Request(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What was asked; `body` is cut at 2,048 characters, `size` counts bytes."""

    method: str
    path: str
    query: dict[str, str] = {}
    body: str = ""
    size: int = 0


class Answer(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What came back; header names in lower case, body as text (UTF-8).

    `truncated` tells that the body passed the harness's bound and was cut there.
    """

    status: int
    headers: dict[str, str] = {}
    body: str = ""
    truncated: bool = False


class Invoke(Record, frozen=True, kw_only=True, tag="invoke"):
    """An operation begins.

    `about` is the message id of an update or delete, the connection id of a ping,
    the label of a bad input. Operations of one walk through the history pages share
    a `walk` number. `text` and `nonce` are what a write carries; the harness makes
    each unique within a case. `uid` names whose chat it is about, in a personal
    profile; with `support` the support side asks, not the user whose cookie that is.
    """

    who: str
    f: F
    request: Request | None = None
    fault: Fault | None = None
    about: str = ""
    text: str = ""
    nonce: str = ""
    walk: int = 0
    uid: str = ""
    support: bool = False


class Ok(Record, frozen=True, kw_only=True, tag="ok"):
    """It surely happened; `effect` tells what was observed of a fault."""

    call: int
    answer: Answer | None = None
    effect: str = ""


class Fail(Record, frozen=True, kw_only=True, tag="fail"):
    """It surely did not happen: refused by the server, or never sent."""

    call: int
    answer: Answer | None = None
    error: str = ""


class Info(Record, frozen=True, kw_only=True, tag="info"):
    """It may have happened; a fault that ends so had no observed effect."""

    call: int
    answer: Answer | None = None
    error: str = ""


class Behind(Record, frozen=True, kw_only=True, tag="behind"):
    """From here on everything that this client opens goes through this nginx.

    What comes and ends there is nginx's doing as well; `version` is what it calls
    itself.
    """

    who: str
    nginx: Nginx
    version: str = ""


class Opened(Record, frozen=True, kw_only=True, tag="opened"):
    """A client asked for the stream: `conn` numbers connections from 1.

    `header` is the Last-Event-ID sent, `query` the lastEventId in the URL; None means
    not sent. `pings` tells whether this client answers the ping contract. `uid` is the
    cookie sent, in a personal profile.
    """

    conn: int
    who: str
    header: str | None = None
    query: str | None = None
    pings: bool = True
    uid: str = ""


class Responded(Record, frozen=True, kw_only=True, tag="responded"):
    """Status line and headers of a stream arrived (header names in lower case)."""

    conn: int
    status: int
    headers: dict[str, str]


class Frame(Record, frozen=True, kw_only=True, tag="frame"):
    """One block of the stream up to and with its blank line, as it came.

    `offset` is its first byte's place in the body, `began_s` when that byte came,
    `t_s` when the last one did, in `chunks` reads. `text` is the block as UTF-8; when
    it is not valid UTF-8, `raw` holds the bytes and `text` a lossy reading. `quiet` is
    the longest silence between two of its reads: a keep-alive may be a comment line
    of the next event's block.
    """

    conn: int
    offset: int
    began_s: float
    text: str
    raw: bytes | None = None
    chunks: int = 1
    quiet: tuple[float, float] | None = None


class Closed(Record, frozen=True, kw_only=True, tag="closed"):
    """The connection ended; `tail` is what came after the last whole frame.

    `received` counts body bytes. A `size`-bounded tail is cut at 2,048 characters.
    `quiet` is the longest silence from the last whole frame to the end.
    """

    conn: int
    kind: CloseKind
    received: int = 0
    tail: str = ""
    error: str = ""
    quiet: tuple[float, float] | None = None


class Life(Record, frozen=True, kw_only=True, tag="life"):
    """A step in a server's life; lives are numbered from 1.

    `how` says what the harness did (term, kill, ...) and is empty for an exit that it
    did not cause; `status` is the exit status, `output` the last lines of such a
    target. `empty` tells that this life began on an empty data folder.
    """

    life: int
    phase: LifePhase
    how: str = ""
    empty: bool = False
    status: int | None = None
    output: str = ""


class Message(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A chat message as a client holds it: id and value as they came."""

    id: Any = None
    value: Any = None


class Hold(Record, frozen=True, kw_only=True, tag="hold"):
    """A fault of the storage, begun by `call`, surely holds; or is about to let go.

    What lies between the two is certain; a moment before the first and after the
    second nobody knows. A cut commit holds from the moment of the cut.
    """

    call: int
    ends: bool = False


class View(Record, frozen=True, kw_only=True, tag="view"):
    """What a client shows, oldest first; written when a case ends."""

    who: str
    messages: tuple[Message, ...]


class Resources(Record, frozen=True, kw_only=True, tag="resources"):
    """What the target held at this moment of a case of load."""

    moment: Moment
    usage: Usage


class Lag(Record, frozen=True, kw_only=True, tag="lag"):
    """The harness's own loop was this late: timing around `t_s` is in doubt."""

    lag_s: float


class Note(Record, frozen=True, kw_only=True, tag="note"):
    """Something that did not come about: a bounded wait that ended unmet."""

    text: str


class End(Record, frozen=True, kw_only=True, tag="end"):
    """The last record; `complete` is false when the case was broken off."""

    complete: bool = True
    reason: str = ""


AnyRecord = (
    Invoke
    | Ok
    | Fail
    | Info
    | Behind
    | Opened
    | Responded
    | Frame
    | Closed
    | Life
    | Hold
    | View
    | Resources
    | Lag
    | Note
    | End
)


class History(msgspec.Struct, frozen=True, kw_only=True):
    """A whole history in memory: `records[n].n == n + 1`, for the header is line 0.

    `torn` tells that the file had no `End`, or a cut last line: what is there counts,
    what is missing may not be guessed.
    """

    header: Header
    records: tuple[AnyRecord, ...]
    torn: bool = False


def headers_of(headers: Mapping[str, str]) -> dict[str, str]:
    """Header names in lower case, in the order they came."""
    return {name.lower(): value for name, value in headers.items()}
