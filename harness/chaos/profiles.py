"""What random cases of a profile are without: the same drawing serves all four."""

from collections.abc import Iterable, Mapping
from fnmatch import fnmatchcase
from typing import NamedTuple, TypeVar

from harness.core.profile import Profile
from harness.core.steps import CursorKind

T = TypeVar("T")
_UNBOUNDED = (
    *("missed/log*", "restart/log-full", "restart/window-full", "history/walk"),
    *("write/window-slides", "write/evicted-*", "write/last-interactive"),
)
"""Edges of a log and a window bounded by count; a page is more than a case writes."""


class Without(NamedTuple):
    """What there is none of; `edges` are patterns of names in `harness.chaos.edges`."""

    steps: frozenset[str] = frozenset()
    cursors: frozenset[CursorKind] = frozenset()
    edges: tuple[str, ...] = ()


WITHOUT: dict[Profile, Without] = {
    Profile.BROADCAST: Without(
        steps=frozenset(("late-change",)), edges=("record/*", "users/*")
    ),
    Profile.NAIVE: Without(
        steps=frozenset(("probe", "slow-replay", "late-change")),
        cursors=frozenset(CursorKind),
        edges=(
            *("missed/*", "*replay", "*reset*", "record/*", "users/*", "cursor/*"),
            *("cut/inside-the-id-line", "restart/stale-cursor", "restart/reused-ids"),
            *("restart/two-lives-ago", "restart/log-full"),
            *("stream/join", "stream/snapshot-first"),
        ),
    ),
    Profile.LOG: Without(
        steps=frozenset(("update", "delete", "late-change")),
        cursors=frozenset(
            (CursorKind.EVICTED, CursorKind.PREVIOUS_LIFE, CursorKind.REUSED)
        ),
        edges=(
            *("*reset*", "record/*", "cursor/evicted", "cursor/earlier-life"),
            *("restart/stale-cursor", "restart/reused-ids", "restart/two-lives-ago"),
            *("restart/committed-unsent", "write/deleted-again", *_UNBOUNDED),
        ),
    ),
    Profile.PRIVATE: Without(
        # A reset is due there only after more than one step: none cuts the next stream.
        edges=("cut/in-reset", *_UNBOUNDED),
    ),
}


def without(table: Mapping[T, int], absent: Iterable[T]) -> dict[T, int]:
    """A table of weights, less what there is none of."""
    gone = set(absent)
    return {key: times for key, times in table.items() if key not in gone}


def has_edge(profile: Profile, edge: str) -> bool:
    """Whether a case of this profile can reach the edge."""
    return not any(fnmatchcase(edge, one) for one in WITHOUT[profile].edges)
