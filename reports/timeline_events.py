"""What a timeline shows beside the streams: faults, server lives, requests."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from harness.core.history import (
    F,
    Fail,
    History,
    Info,
    Invoke,
    Life,
    LifePhase,
    Ok,
)
from reports import svg
from reports.lanes import Band
from reports.scale import WIDTH, Scale

_ROW = 15.0
_MOST_ROWS = 4
_LETTER = 6.0

_SHOWN = (F.CREATE, F.UPDATE, F.DELETE, F.INIT, F.HISTORY, F.BAD_INPUT)
"""Requests of the requests lane; pings are the background of every run."""


class Plan(Protocol):
    """What is needed of the layout of a timeline."""

    @property
    def scale(self) -> Scale: ...
    @property
    def clients(self) -> Mapping[str, Band]: ...
    @property
    def faults(self) -> Band | None: ...
    @property
    def server(self) -> Band | None: ...
    @property
    def requests(self) -> Band: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class FaultSpan:
    """A fault from its start to its healing; `effect` is "" when it did not bite."""

    says: str
    whom: tuple[str, ...]
    from_s: float
    until_s: float
    effect: str

    @property
    def label(self) -> str:
        """What the picture says in words."""
        return self.says + ("" if self.effect else " (no effect)")


def faults_of(history: History, span_s: float) -> list[FaultSpan]:
    """Every fault; one without a completion lasts to the end."""
    ends = _completions(history)
    spans = []
    for record in history.records:
        if isinstance(record, Invoke) and record.f is F.FAULT and record.fault:
            end = ends.get(record.n)
            spans.append(
                FaultSpan(
                    says=record.fault.says(),
                    whom=record.fault.whom,
                    from_s=record.t_s,
                    until_s=end.t_s if end else span_s,
                    effect=end.effect if isinstance(end, Ok) else "",
                )
            )
    return spans


def fault_rows(faults: Sequence[FaultSpan], scale: Scale) -> int:
    """How many rows the labels of the faults need."""
    return 1 + max((one.row for one in _placed(faults, scale)), default=-1)


def fault_marks(history: History, plan: Plan, prefix: str) -> Iterable[str]:
    """A label for each fault, and its shade over the lanes of its victims."""
    if plan.faults is None:
        return
    faults = faults_of(history, plan.scale.span_s)
    for row, named, fault in _placed(faults, plan.scale):
        x = plan.scale.x(fault.from_s)
        width = max(2.0, plan.scale.x(fault.until_s) - x)
        told = svg.title(_told(fault))
        cls = "fault" if fault.effect else "fault missed"
        for band in _victims(fault, plan):
            yield svg.element(
                "rect",
                told,
                cls=cls,
                x=x,
                y=band.top,
                width=width,
                height=band.bottom - band.top,
                fill=f"url(#{prefix}-hatch)",
            )
        top = plan.faults.top + row * _ROW
        yield _label(fault, x, width, top, named=named)


def server_marks(history: History, plan: Plan) -> Iterable[str]:
    """A bar for each life of the server, and what happened to it."""
    band = plan.server
    if band is None:
        return
    steps = [one for one in history.records if isinstance(one, Life)]
    for life in dict.fromkeys(one.life for one in steps):
        mine = [one for one in steps if one.life == life]
        yield from _life_bars(mine, band, plan.scale)
    for step in steps:
        yield _life_tick(step, band, plan.scale)


def write_marks(history: History, plan: Plan, marks: int) -> Iterable[str]:
    """The requests lane: shape says what was asked, class how it ended."""
    ends = _completions(history)
    pixels = max(1.5, (1.5 * 1_000) / max(1, marks))
    spots: dict[tuple[str, str, int], list[Invoke]] = {}
    for record in history.records:
        if isinstance(record, Invoke) and record.f in _SHOWN:
            end = _ended(ends.get(record.n))
            spot = (record.f.value, end, int(plan.scale.x(record.t_s) / pixels))
            spots.setdefault(spot, []).append(record)
    top, bottom = plan.requests.top + 5, plan.requests.bottom - 5
    for (f, end, _), calls in spots.items():
        shown = "snapshot" if f in (F.INIT, F.HISTORY) else f
        yield svg.element(
            "path",
            svg.title(_asked(f, end, calls)),
            cls=f"m {shown} {end}",
            d=svg.shape(shown, plan.scale.x(calls[0].t_s), top, bottom),
        )


def _asked(f: str, end: str, calls: Sequence[Invoke]) -> str:
    first, count = calls[0], len(calls)
    about = f" {first.about}" if first.about else ""
    if count == 1:
        return f"{f}{about} by {first.who} at {first.t_s:.3f} s: {end}"
    return f"{count} x {f}, {first.t_s:.3f} to {calls[-1].t_s:.3f} s: {end}"


def _completions(history: History) -> dict[int, Ok | Fail | Info]:
    return {
        one.call: one for one in history.records if isinstance(one, Ok | Fail | Info)
    }


def _ended(end: Ok | Fail | Info | None) -> str:
    if isinstance(end, Ok):
        return "ok"
    return "refused" if isinstance(end, Fail) else "unknown"


def _told(fault: FaultSpan) -> str:
    when = f"{fault.from_s:.3f} to {fault.until_s:.3f} s"
    return f"{fault.says}, {when}: {fault.effect or 'no effect was observed'}"


class Placed(NamedTuple):
    """A fault, its row, and whether its label has room there."""

    row: int
    named: bool
    fault: FaultSpan


def _placed(faults: Sequence[FaultSpan], scale: Scale) -> list[Placed]:
    """First row that is free; past the last row a fault has no words of its own."""
    free: list[float] = []
    placed = []
    for fault in faults:
        x = scale.x(fault.from_s)
        row = next((one for one, at in enumerate(free) if at <= x), None)
        if row is None and len(free) == _MOST_ROWS:
            placed.append(Placed(_MOST_ROWS - 1, False, fault))
            continue
        if row is None:
            row = len(free)
            free.append(0.0)
        free[row] = max(scale.x(fault.until_s), x + len(fault.label) * _LETTER + 8)
        placed.append(Placed(row, True, fault))
    return placed


def _victims(fault: FaultSpan, plan: Plan) -> list[Band]:
    if fault.whom:
        return [plan.clients[who] for who in fault.whom if who in plan.clients]
    return [plan.server] if plan.server else list(plan.clients.values())


def _label(fault: FaultSpan, x: float, width: float, top: float, *, named: bool) -> str:
    cls = "label" if fault.effect else "label missed"
    line = svg.element("rect", cls=cls, x=x, y=top, width=width, height=_ROW - 2)
    says = fault.label
    # A label that would run out of the picture ends at its fault instead.
    inside = x + len(says) * _LETTER < WIDTH - 4
    at = x + 3 if inside else x + width
    words = svg.text(says, at, top + 10, cls="says" if inside else "says end")
    return svg.element("g", svg.title(_told(fault)), line, words if named else "")


def _life_bars(steps: Sequence[Life], band: Band, scale: Scale) -> Iterable[str]:
    """Started to ready, ready to the end, and each pause on top."""
    at = {one.phase: one.t_s for one in steps}
    first = steps[0].t_s
    ready = at.get(LifePhase.READY, at.get(LifePhase.EXITED, scale.span_s))
    ended = at.get(LifePhase.EXITED, scale.span_s)
    life = f"server life {steps[0].life}"
    if LifePhase.STARTED in at:
        yield _bar(first, ready, band, scale, "life starting", f"{life} starting")
        yield _bar(ready, ended, band, scale, "life", life)
    else:
        yield _bar(0.0, ended, band, scale, "life", life)
    paused: float | None = None
    for one in steps:
        if one.phase is LifePhase.PAUSED:
            paused = one.t_s
        elif paused is not None:
            yield _bar(paused, one.t_s, band, scale, "life paused", f"{life} paused")
            paused = None
    if paused is not None:
        yield _bar(paused, scale.span_s, band, scale, "life paused", f"{life} paused")


def _bar(
    from_s: float, until_s: float, band: Band, scale: Scale, cls: str, told: str
) -> str:
    x = scale.x(from_s)
    return svg.element(
        "rect",
        svg.title(f"{told}, {from_s:.3f} to {until_s:.3f} s"),
        cls=cls,
        x=x,
        y=band.top + 4,
        width=max(1.0, scale.x(until_s) - x),
        height=band.bottom - band.top - 8,
    )


def _life_tick(step: Life, band: Band, scale: Scale) -> str:
    x = scale.x(step.t_s)
    how = f" by {step.how}" if step.how else ""
    told = f"server life {step.life} {step.phase}{how} at {step.t_s:.3f} s"
    mark = f"M{svg.number(x)} {svg.number(band.top + 1)}V{svg.number(band.bottom - 1)}"
    tick = svg.element("path", cls=f"step {step.phase}", d=mark)
    words = ""
    if step.phase is LifePhase.READY:
        words = svg.text(f"life {step.life}", x + 4, band.bottom - 8, cls="kind")
    elif step.phase is LifePhase.EXITED:
        words = svg.text(step.how[:8] or "exit", x + 4, band.bottom - 8, cls="kind")
    return svg.element("g", svg.title(told), tick, words)
