"""What can be set; every value has a flag and an environment variable."""

from dataclasses import dataclass

PROFILES = ("naive", "broadcast", "log", "private")


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Limits and times of one server; `_ms` are milliseconds.

    `retry_ms` None: no `retry` is sent. `operator_token` None: there is no operator.
    `mutant` names a deliberate bug.
    """

    profiles: tuple[str, ...] = PROFILES
    message_limit: int = 500
    event_log_limit: int = 1000
    ping_interval_ms: int = 15_000
    ping_grace_ms: int = 5_000
    keepalive_ms: int = 15_000
    retention_ms: int = 1_800_000
    prune_every_ms: int = 1_800_000
    queue_limit: int = 1000
    max_body_bytes: int = 65_536
    database: str = "sqlite:///data/chat.db"
    host: str = "127.0.0.1"
    port: int = 0
    retry_ms: int | None = None
    operator_token: str | None = None
    mutant: str | None = None

    @property
    def patience_s(self) -> float:
        """A connection may be silent for "interval + grace"."""
        return (self.ping_interval_ms + self.ping_grace_ms) / 1000

    @property
    def keepalive_s(self) -> float:
        """Section 3, stream, 5."""
        return self.keepalive_ms / 1000
