"""The profile `log`: everybody's own talk with the support; messages only come.

The journal answers every reconnect. Ids are texts and cursors say nothing to people.
"""

import base64
import binascii
import hmac
import re
import time
from argparse import Namespace
from asyncio import StreamWriter

from tests.foreign.draft import new_value, now_ms
from tests.foreign.event import Event
from tests.foreign.journal import LAST, Journal, Row
from tests.foreign.listener import Audience, Listener
from tests.foreign.wire import Json, Refused, Request, answer

PAGE = 200
EVERY_S = 1.0


def mark(n: int) -> str:
    """The cursor of who has seen row `n`."""
    return _encode(f"row {n}")


def _encode(text: str) -> str:
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def row_of(cursor: str) -> int:
    """The row of a cursor; what is none stands before the first."""
    try:
        text = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode()
    except (ValueError, binascii.Error):
        return 0
    found = re.fullmatch("row ([0-9]{1,18})", text)
    return int(found[1]) if found and _encode(text) == cursor else 0


def shown(row: Row) -> Json:
    """A message as it travels."""
    return {"id": f"m{row.n}", "value": row.value}


def told(row: Row) -> Event:
    """Its event."""
    return Event(row.n, mark(row.n), "create", shown(row))


class Desk:
    """All talks, each behind the cookie of its uid."""

    def __init__(self, limits: Namespace, journal: Journal) -> None:
        self.journal, self.token = journal, limits.token
        self.audience = Audience(limits)
        self.clock_ms = 0
        self.spoke_s: dict[str, float] = {}

    def uid(self, request: Request) -> str:
        """Whose talk it is."""
        uid = request.cookies.get("uid", "")
        if not re.fullmatch("[A-Za-z0-9_-]{1,64}", uid):
            raise Refused(401, "who-are-you", "a cookie `uid` is needed")
        return uid

    def older(self, request: Request) -> bytes:
        """The last page, or the one before a message; without a cursor."""
        uid, before, below = self.uid(request), request.query.get("before"), LAST
        if before is not None:
            found = re.fullmatch("m([0-9]{1,18})", before)
            if found is None:
                raise Refused(400, "bad-id", f"{before} is no message")
            below = int(found[1])
        rows = self.journal.last(uid, PAGE + 1, by="n", below=below)
        page = [shown(row) for row in rows[-PAGE:]]
        return answer(200, {"more": len(rows) > PAGE, "messages": page})

    def say(self, request: Request) -> bytes:
        """The user writes, and not too often."""
        uid, now_s = self.uid(request), time.monotonic()
        self.clock_ms = max(now_ms(), self.clock_ms + 1)
        value = new_value(request, at=self.clock_ms)
        wait_s = self.spoke_s.get(uid, -EVERY_S) + EVERY_S - now_s
        if wait_s > 0:
            after = f"retry-after: {int(wait_s) + 1}"
            raise Refused(429, "too-fast", "one message a second", headers=(after,))
        row = self.add(uid, value)
        self.spoke_s[uid] = now_s
        return answer(201, shown(row))

    def help(self, request: Request, uid: str) -> bytes:
        """The support side writes."""
        given = request.headers.get("authorization", "").encode()
        if not self.token or not hmac.compare_digest(
            given, f"Bearer {self.token}".encode()
        ):
            raise Refused(403, "not-staff", "this is for the support side")
        self.clock_ms = max(now_ms(), self.clock_ms + 1)
        return answer(201, shown(self.add(uid, new_value(request, at=self.clock_ms))))

    def add(self, uid: str, value: Json) -> Row:
        """Into the journal, then to every stream of the uid."""
        row = Row(self.journal.add(uid, value), value)
        self.audience.tell(told(row), uid)
        return row

    def alive(self, request: Request) -> bytes:
        """A ping by the owner."""
        return self.audience.alive(request, self.uid(request))

    def stream(self, request: Request, writer: StreamWriter) -> Listener:
        """Greet, replay from the journal, and listen from then on."""
        uid = self.uid(request)
        head = max(
            (row.n for row in self.journal.last(uid, 1, by="n", below=LAST)), default=0
        )
        missed = self.journal.after(uid, row_of(request.mark)) if request.mark else []
        listener = self.audience.listen(writer, uid)
        listener.greet("" if request.mark else mark(head))
        listener.replay(told(row) for row in missed)
        self.audience.join(listener, head=head)
        return listener
