"""Which interesting edges a case reached, told from its history alone.

What steers the drawing: an edge that is never reached is a place where no mutant can
be caught. Nothing here is a verdict.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence

from harness.chaos.edges_of_faults import FAMILY as FAULTS
from harness.chaos.edges_of_streams import FAMILY as STREAMS
from harness.chaos.edges_of_writes import FAMILY as WRITES
from harness.chaos.profiles import has_edge
from harness.checkers.case import Case
from harness.checkers.channels import split
from harness.core.history import History
from harness.core.profile import Profile

EDGES: dict[str, str] = {
    "missed/none": "a client came back and had missed nothing",
    "missed/log-minus-one": "it had missed one event less than the log keeps",
    "missed/log": "it had missed exactly as many events as the log keeps",
    "missed/log-plus-one": "it had missed one event more than the log keeps",
    "cut/between-frames": "a cut fell between two frames",
    "cut/inside-the-event-line": "a cut fell inside an event line",
    "cut/inside-the-id-line": "a cut fell inside an id line",
    "cut/inside-the-data-line": "a cut fell inside a data line",
    "cut/inside-a-utf-8-character": "a cut fell inside a character",
    "cut/before-the-blank-line": "a cut fell before a frame's blank line",
    "cut/before-headers": "a cut came before the response's headers were whole",
    "cut/in-ping-frame": "a cut came after the headers, before a whole ping frame",
    "cut/in-replay": "a cut came in the middle of a replay",
    "cut/in-reset": "a cut came between a ping frame and the reset due after it",
    "cut/again-at-once": "a connection was cut within a second of the one before it",
    "cut/two-at-once": "two clients were cut within a tenth of a second",
    "reset/seen": "a client was reset",
    "reset/two-at-once": "two clients were reset within a tenth of a second",
    "reset/among-writes": "a write was under way while a client was reset",
    "reset/after-cut-replay": "a replay broke off, and the next connection was reset",
    "reset/after-replay": "a client was replayed to, and reset the next time",
    "reset/twice": "a client was reset for two causes",
    "record/pruned": "a client had missed an event that a sweep took away",
    "record/made-anew": "the record had gone, and another was made, meanwhile",
    "restart/term": "the server was ended by SIGTERM",
    "restart/kill": "the server was ended by SIGKILL",
    "restart/stale-cursor": "a client came with a cursor of an earlier life",
    "restart/reused-ids": "the new life had made as many events as that cursor counts",
    "restart/two-lives-ago": "a cursor was of a life before the last",
    "restart/log-full": "a life ended whose log was full",
    "restart/window-full": "a life began with a full window",
    "restart/in-burst": "a life ended with two or more writes under way",
    "restart/while-away": "a life ended while a client was turned away",
    "restart/in-replay": "a life ended in the middle of a replay",
    "restart/write-kept": "a write cut off by an end of the server was carried out",
    "restart/write-lost": "a write cut off by an end of the server was not",
    "restart/committed-unsent": "such a write was stored, and no event ever told of it",
    "write/window-slides": "a message pushed another out of the window",
    "write/evicted-update": "an update of a message outside the window was refused",
    "write/evicted-delete": "a delete of a message outside the window was refused",
    "write/deleted-again": "a change of a deleted message was refused",
    "write/last-interactive": "the oldest message of a full window was changed",
    "write/concurrent": "two writes were under way at once",
    "write/lost-acknowledgement": "a write was carried out and not answered",
    "write/large": "a message of more than 4,000 characters went round",
    "write/bad-input": "bad input was refused",
    "history/walk": "somebody paged back to messages before the window",
    "fault/refused-while-up": "a connection was refused while the server was up",
    "fault/stall": "a stall was observed",
    "fault/black-hole": "a black hole was observed",
    "fault/partition": "a partition was observed",
    "fault/latency": "latency was observed",
    "fault/bandwidth": "a narrow line was observed",
    "fault/slice": "frames came in slices",
    "fault/slow-close": "a client learnt late that its server had gone",
    "fault/pause": "the server was frozen",
    "fault/pause-past-pings": "it was frozen for longer than its ping limit",
    "fault/overlap": "two lasting faults overlapped",
    "fault/overlap-on-one": "two lasting faults overlapped on one client",
    "fault/restart-under": "the server was restarted under a lasting fault",
    "users/two": "messages went round in the chats of two users",
    "stream/two-of-one": "a client had two open streams",
    "stream/silence-dropped": "a stream that was not pinged was ended by the server",
    "stream/join": "a write was under way while a replay ran",
    "stream/snapshot-first": "events came between a snapshot and the stream from it",
    "stream/stream-first": "events came between a fresh stream and its snapshot",
    "ping/unknown": "a connection that never was was pinged",
    "ping/closed": "a closed connection was pinged",
    "cursor/head": "a probe came with the newest cursor",
    "cursor/old": "a probe came with a cursor inside the log",
    "cursor/evicted": "a probe came with a cursor whose next event was gone",
    "cursor/earlier-life": "a probe came with a cursor of an earlier life",
    "cursor/future": "a probe came with a cursor past the head",
    "cursor/foreign": "a probe came with a cursor of the right form, of no life",
    "cursor/malformed": "a probe came with no cursor at all in its place",
    "cursor/in-query": "a probe showed its cursor in the query",
    "cursor/header-against-query": "header and query led apart",
}
"""Every edge that is counted, with what it means."""


def edges_for(profiles: Iterable[str]) -> dict[str, str]:
    """Those of `EDGES` that cases of at least one of these profiles can reach."""
    chosen = [Profile(one) for one in profiles]
    return {
        edge: meaning
        for edge, meaning in EDGES.items()
        if any(has_edge(profile, edge) for profile in chosen)
    }


_FAMILIES: tuple[Callable[[Case], Iterator[str]], ...] = (
    *STREAMS,
    *FAULTS,
    *WRITES,
)


def edges(history: History) -> Counter[str]:
    """How often each edge was reached; names are keys of `EDGES`."""
    return edges_of(channels_of(history))


def channels_of(history: History) -> list[Case]:
    """The index of each channel."""
    return [Case(part, uid=uid) for uid, part in split(history).items()]


def edges_of(channels: Sequence[Case]) -> Counter[str]:
    """As `edges`, of a history that is indexed already."""
    found: Counter[str] = Counter()
    for case in channels:
        for look in _FAMILIES:
            found.update(_known(look(case), case.profile))
    if sum(1 for case in channels if case.told) > 1:
        found["users/two"] += 1
    return found


def _known(names: Iterable[str], profile: Profile) -> Iterator[str]:
    for name in names:
        if name not in EDGES:
            raise KeyError(f"edge {name!r} is not in the table")
        if has_edge(profile, name):
            yield name
