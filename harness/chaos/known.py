"""What a player has learnt of the server's life: message ids, cursors, their counts."""

import re
from dataclasses import dataclass, field

from harness.core.profile import RESETTING, WINDOWED, Profile
from harness.core.steps import CursorKind

_NEVER_AN_ID = 999_999
_MALFORMED = (
    "garbage", "-1", "-", "0", "1e3", "null", "../../etc/passwd", "%00", "x" * 64,
    "9" * 200, "y" * 4_000, "é-1", "\uff11\uff12",
)  # fmt: skip
_FURTHER = (1, 2, 1_000, 10**9)


@dataclass(slots=True)
class _Mark:
    """A cursor, and how many events the life had made at it."""

    cursor: str
    count: int


@dataclass(slots=True)
class Known:
    """One player's knowledge of a channel, in which a life may begin anew.

    `log_limit` 0: events are not counted out of a log, but may go with time.
    """

    profile: Profile
    log_limit: int
    ids: list[object] = field(default_factory=list)
    events: int = 0
    _trail: list[_Mark] = field(default_factory=list)
    _before: list[_Mark] = field(default_factory=list)

    def learn(self, cursor: str, shown: list[object]) -> None:
        """Take in the witness's cursor and the ids that it shows."""
        self.ids += [one for one in shown if one not in self.ids]
        number = re.search(r"(\d{1,9})$", cursor)
        if number is not None:
            self.events = int(number[1])
        if cursor and not (self._trail and self._trail[-1].cursor == cursor):
            self._trail.append(_Mark(cursor, self.events))

    def wrote(self, message_id: object) -> None:
        """A message was acknowledged; None when its id is not known."""
        self.events += 1
        if message_id is not None and message_id not in self.ids:
            self.ids.append(message_id)

    def new_life(self) -> None:
        """The server starts anew; cursors and ids of its memory do, too."""
        if self.profile in RESETTING:
            self._before, self._trail = self._trail or self._before, []
            self.events = 0
        if self.profile in WINDOWED:
            self.ids = []

    def back(self, places: int) -> object:
        """The id so many places before the newest; the oldest when there are fewer."""
        if not self.ids:
            return _NEVER_AN_ID
        ordered = sorted(self.ids, key=_as_number)
        return ordered[max(0, len(ordered) - 1 - places)]

    def lacking(self, kind: CursorKind) -> int:
        """How many more events it takes until there is a good cursor of this kind."""
        first = 0 if self._trail else 1  # there may be no cursor before an event
        match kind:
            case CursorKind.OLD:
                return 0 if self._kept() else first + 1
            case CursorKind.EVICTED:
                return 0 if self._evicted() else first + self.log_limit + 1
            case CursorKind.REUSED if self._reused():
                return max(0, min(self._reused()[0].count - self.events, 12))
        return 0

    def cursor(self, kind: CursorKind, variant: int) -> str:
        """A cursor of this kind; "" when there can be none yet."""
        head = self._trail[-1].cursor if self._trail else ""
        match kind:
            case CursorKind.HEAD:
                return head
            case CursorKind.OLD:
                return _pick(self._kept(), variant)
            case CursorKind.EVICTED:
                return _pick(self._evicted(), variant)
            case CursorKind.PREVIOUS_LIFE:
                return _pick(self._before[::-1], variant)
            case CursorKind.REUSED:
                return _pick(self._reused()[:1], variant)
            case CursorKind.FUTURE:
                return _future(head, variant)
            case CursorKind.FOREIGN:
                return _foreign(head, variant)
            case CursorKind.MALFORMED:
                return _MALFORMED[variant % len(_MALFORMED)]

    def _kept(self) -> list[_Mark]:
        """Marks with something after them, all of it kept; the nearest to the edge."""
        most = self.log_limit or self.events
        return [m for m in self._trail if 0 < self.events - m.count <= most]

    def _evicted(self) -> list[_Mark]:
        gone = [m for m in self._trail if self.events - m.count > self.log_limit]
        return gone[::-1]

    def _reused(self) -> list[_Mark]:
        return [mark for mark in self._before if mark.count > 0]


def _pick(marks: list[_Mark], variant: int) -> str:
    return marks[variant % len(marks)].cursor if marks else ""


def _as_number(message_id: object) -> int:
    return message_id if isinstance(message_id, int) else 0


def _split(cursor: str) -> tuple[str, int]:
    """What stands before a cursor's last number, and the number; 0 without one."""
    number = re.search(r"\d{1,9}$", cursor)
    return (cursor[: number.start()], int(number[0])) if number else (cursor, 0)


def _future(head: str, variant: int) -> str:
    if not head:
        return ""
    stem, number = _split(head)
    return f"{stem}{number + _FURTHER[variant % len(_FURTHER)]}"


def _foreign(head: str, variant: int) -> str:
    if not head:
        return ""
    stem, number = _split(head)
    other = re.sub(r"[A-Za-z0-9]{1,2}([^A-Za-z0-9]*)$", r"zz\1", stem) or "zz-"
    made = (f"{other}{number}", f"{stem}-{number}", f"{head}x", stem or "x")
    return made[variant % len(made)]
