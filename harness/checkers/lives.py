"""Server lives: when each ran, when the server was up, which life answered what."""

from dataclasses import dataclass, replace
from math import inf

from harness.checkers.kinds import Kinds
from harness.core.history import Life, LifePhase

DEATH_SLACK_S = 2.0
"""Connections may be seen to end this long before a death is noticed."""


@dataclass(slots=True)
class LifeSpan:
    """One life in [started_s, exited_s]; `going_s` is when its end began."""

    number: int
    started_s: float
    ready_s: float = inf
    going_s: float = inf
    exited_s: float = inf
    empty: bool = False
    death: Life | None = None


class Lives:
    """All lives of a case in order; a target without records has one endless life."""

    def __init__(self, kinds: Kinds, falls: list[float]) -> None:
        self.spans = _spans(kinds)
        if not self.spans:
            self.spans = [LifeSpan(1, -inf, -inf)]
        self._ready()
        for t_s in falls:
            self._fall(t_s)
        self.down = self._down()

    def _ready(self) -> None:
        """A life that never was seen ready was never up, where others were seen."""
        if all(span.ready_s == inf for span in self.spans):
            for span in self.spans:
                span.ready_s = span.started_s
        self.by_number = {span.number: span for span in self.spans}

    def _fall(self, t_s: float) -> None:
        for span in self.spans:
            if span.started_s <= t_s <= span.exited_s:
                span.going_s = min(span.going_s, t_s)

    def _down(self) -> list[tuple[float, float]]:
        down = [(-inf, self.spans[0].ready_s)]
        for span, after in zip(self.spans, [*self.spans[1:], None], strict=True):
            if span.going_s < inf:
                down.append((span.going_s, after.ready_s if after else inf))
        return down

    def up(self, from_s: float, to_s: float) -> bool:
        """Whether no end of the server was under way in [from_s, to_s]."""
        return all(to_s < a or from_s > b for a, b in self.down)

    def at(self, opened_s: float, answered_s: float | None) -> int | None:
        """The life that answers what was asked at `opened_s`; None when unsure."""
        for span in self.spans:
            if opened_s < span.started_s:
                return span.number if answered_s is not None else None
            if opened_s <= span.exited_s:
                late = answered_s is not None and answered_s > span.exited_s
                return None if late else span.number
        return None

    def possible(self, from_s: float, to_s: float) -> list[int]:
        """The lives in which something between two times may have happened."""
        return [
            span.number
            for span in self.spans
            if span.started_s <= to_s and from_s <= span.exited_s
        ]

    def eras(self, *, joined: bool) -> dict[int, LifeSpan]:
        """The span of one order of events that each life belongs to.

        `joined` where order and cursors outlive the server: such an era ends only with
        its data.
        """
        eras: dict[int, LifeSpan] = {}
        era: LifeSpan | None = None
        for span in self.spans:
            if era is None or span.empty or not joined:
                era = replace(span)
            eras[span.number] = era
            era.exited_s = span.exited_s
        return eras

    def earlier(self, number: int) -> LifeSpan | None:
        """The life before this one."""
        before = [span for span in self.spans if span.number < number]
        return before[-1] if before else None


def _spans(kinds: Kinds) -> list[LifeSpan]:
    spans: dict[int, LifeSpan] = {}
    for record in kinds.of(Life):
        new = LifeSpan(record.life, started_s=record.t_s)
        span = spans.setdefault(record.life, new)
        span.empty = span.empty or record.empty
        _step(span, record)
    return sorted(spans.values(), key=lambda span: span.started_s)


def _step(span: LifeSpan, record: Life) -> None:
    if record.phase is LifePhase.READY:
        span.ready_s = min(span.ready_s, record.t_s)
    elif record.phase is LifePhase.ENDING:
        span.going_s = min(span.going_s, record.t_s)
    elif record.phase is LifePhase.EXITED:
        span.exited_s = record.t_s
        died = not record.how
        span.going_s = min(span.going_s, record.t_s - DEATH_SLACK_S * died)
        span.death = record if died else None
