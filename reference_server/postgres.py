"""PostgreSQL through psycopg: no call waits for ever, whatever becomes of the network.

Only imported when the URL asks for it: the driver is an optional extra.
"""

from typing import Any

import psycopg
from psycopg.errors import OperationalError
from sqlalchemy import Engine, create_engine, event

CONNECT_TIMEOUT_S = 2
ANSWER_TIMEOUT_S = 4.0
POOL_TIMEOUT_S = 5.0

# The server's own ends of the same bargain: a transaction whose client has vanished
# must not hold its locks, and durable is what "committed" means here.
SESSION = {
    "lock_timeout": "2s",
    "idle_in_transaction_session_timeout": "5s",
    "synchronous_commit": "on",
    "client_encoding": "UTF8",
}


class Bounded(psycopg.Connection[Any]):
    """A connection that is given up when one answer takes too long.

    A proxy or a dead route takes bytes and never answers; TCP would wait for minutes.
    """

    def wait(
        self, gen: Any, interval: float = 0.1, timeout: float | None = None
    ) -> Any:
        """psycopg's wait, with a time limit of our own where it has none."""
        limit_s = ANSWER_TIMEOUT_S if timeout is None else timeout
        try:
            return super().wait(gen, interval, limit_s)
        except OperationalError as error:
            if self.pgconn.transaction_status == psycopg.pq.TransactionStatus.ACTIVE:
                self.pgconn.finish()
                raise OperationalError(f"no answer in {limit_s} s") from error
            raise


def engine(url: str) -> Engine:
    """Connections are tried before use, so that a restarted database costs no write."""
    options = " ".join(f"-c {name}={value}" for name, value in SESSION.items())
    made = create_engine(
        url,
        pool_pre_ping=True,
        pool_timeout=POOL_TIMEOUT_S,
        connect_args={"connect_timeout": CONNECT_TIMEOUT_S, "options": options},
    )

    @event.listens_for(made, "do_connect")
    def connect(_: Any, __: Any, args: Any, named: Any) -> psycopg.Connection[Any]:
        return Bounded.connect(*args, **named)

    return made
