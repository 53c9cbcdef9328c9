"""The lanes of a timeline: a bar for each connection, a mark for what it carried."""

from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from harness.core.history import Frame
from reports import svg
from reports.frames import KINDS, Glance, glance
from reports.lanes import Band, Connection
from reports.scale import WIDTH, Scale

_LABEL = 26.0
"""Room that the name of a close kind needs before the next bar."""

_CLOSE_WIDTH = 6.0


class Rows(NamedTuple):
    """Top and bottom of one row of bars in a lane."""

    top: float
    bottom: float


class Spot(NamedTuple):
    """A frame where it is drawn."""

    x: float
    seen: Glance
    frame: Frame


def stream_marks(
    lanes: Mapping[str, Sequence[Connection]],
    bands: Mapping[str, Band],
    *,
    scale: Scale,
    marks: int,
) -> Iterable[str]:
    """Bars, frames and close kinds, with at most about `marks` marks for frames."""
    spots = {
        one.conn: [Spot(scale.x(f.t_s), glance(f.text), f) for f in one.frames]
        for members in lanes.values()
        for one in members
    }
    pixels = _resolution(list(spots.values()), marks)
    for who, members in lanes.items():
        rows = rows_of(bands[who], members)
        for one in members:
            yield _bar(scale, one, rows[one.row])
            yield from _frame_marks(spots[one.conn], rows[one.row], pixels)
        yield from _close_marks(scale, members, rows)


def rows_of(band: Band, members: Sequence[Connection]) -> list[Rows]:
    """The rows of bars that a lane is cut into."""
    count = 1 + max((one.row for one in members), default=0)
    height = (band.bottom - band.top) / count
    tops = [band.top + place * height for place in range(count)]
    return [Rows(top + 3, top + height - 3) for top in tops]


def _bar(scale: Scale, one: Connection, row: Rows) -> str:
    status = f", status {one.status}" if one.status is not None else ", no answer"
    ended = f"ended {one.kind} at {one.until_s:.3f} s" if one.kind else "never ended"
    told = (
        f"connection {one.conn} of {one.who}: opened at {one.opened_s:.3f} s with "
        f"{one.asked}{status}; {len(one.frames)} frames; {ended}"
    )
    x = scale.x(one.opened_s)
    answered = "bar" if one.status == 200 else "bar bad"
    return svg.element(
        "rect",
        svg.title(told),
        cls=answered if one.kind else f"{answered} open",
        x=x,
        y=row.top,
        width=max(2.0, scale.x(one.until_s) - x),
        height=row.bottom - row.top,
    )


def _close_marks(
    scale: Scale, members: Sequence[Connection], rows: Sequence[Rows]
) -> Iterable[str]:
    """How connections ended; equal ends on one spot are drawn once and counted."""
    order = sorted(members, key=lambda one: (one.row, scale.x(one.until_s)))
    spots: dict[tuple[int, str, int], list[Connection]] = {}
    for one in order:
        if one.kind is not None:
            spot = (one.row, str(one.kind), int(scale.x(one.until_s) / _CLOSE_WIDTH))
            spots.setdefault(spot, []).append(one)
    starts = sorted((one.row, scale.x(one.opened_s)) for one in members)
    for (row, kind, _), ended in spots.items():
        x = scale.x(ended[0].until_s)
        after = bisect_right(starts, (row, x))
        clear = after == len(starts) or starts[after][0] != row
        named = clear or starts[after][1] - x >= _LABEL
        yield _close_mark(kind, x, ended, rows[row], named=named)


def _close_mark(
    kind: str, x: float, ended: Sequence[Connection], row: Rows, *, named: bool
) -> str:
    path = svg.close_shape(kind, x, row.top, row.bottom)
    mark = svg.element("path", cls=f"close {kind}", d=path)
    label = ""
    if named and kind not in ("client", "end"):
        middle = (row.top + row.bottom) / 2 + 3
        label = svg.text(kind, x + 10, middle, cls="kind")
    return svg.element("g", svg.title(_ended(kind, ended)), mark, label)


def _ended(kind: str, ended: Sequence[Connection]) -> str:
    first, last = ended[0], ended[-1]
    if len(ended) > 1:
        span = f"{first.until_s:.3f} to {last.until_s:.3f} s"
        return f"{len(ended)} connections of {first.who}: {kind}, {span}"
    told = f"connection {first.conn} of {first.who}: {kind} at {first.until_s:.3f} s"
    return f"{told}, {first.received} bytes" + (first.error and f", {first.error}")


def _buckets(spots: Iterable[Spot], pixels: float) -> dict[tuple[str, int], list[Spot]]:
    """What falls on one place, by kind."""
    found: dict[tuple[str, int], list[Spot]] = {}
    for spot in spots:
        found.setdefault((spot.seen.kind, int(spot.x / pixels)), []).append(spot)
    return found


def _resolution(lanes: Sequence[Sequence[Spot]], marks: int) -> float:
    """Width of a place: the finest at which the marks stay within their bound."""
    pixels = 1.5
    while pixels < WIDTH:
        if sum(len(_buckets(spots, pixels)) for spots in lanes) <= marks:
            break
        pixels *= 2
    return pixels


def _frame_marks(spots: Iterable[Spot], row: Rows, pixels: float) -> Iterable[str]:
    buckets = _buckets(spots, pixels)
    for place in sorted(buckets, key=_drawn_last):
        seen = buckets[place]
        path = svg.shape(place[0], seen[0].x, row.top, row.bottom)
        yield svg.element(
            "path", svg.title(_told(place[0], seen)), cls=f"m {place[0]}", d=path
        )


def _drawn_last(place: tuple[str, int]) -> tuple[bool, int, int]:
    """Resets on top of everything, pings and comments below."""
    kind, at = place
    return kind == "reset", -KINDS.index(kind), at


def _told(kind: str, spots: Sequence[Spot]) -> str:
    first, last = spots[0].frame, spots[-1].frame
    event_id, until = spots[0].seen.event_id, spots[-1].seen.event_id
    named = f" {event_id}" if event_id else ""
    if len(spots) == 1:
        return f"{kind}{named} at {first.t_s:.3f} s (record {first.n})"
    to = f" to {until}" if until else ""
    span = f"{first.t_s:.3f} to {last.t_s:.3f} s"
    return f"{len(spots)} x {kind}{named}{to}, {span}"
