"""Who takes part in a case: tabs, whose they are, and a witness for each channel."""

import random
from collections.abc import Awaitable, Callable

from harness.arm import Bare
from harness.client.calls import Calls
from harness.client.client import Start, VirtualClient
from harness.core.fault import Close
from harness.core.history import WITNESS, Message, witness_of
from harness.core.profile import PERSONAL, USER, WINDOWED, Profile
from harness.core.recorder import Recorder
from harness.core.target import Profiled
from harness.middlebox import Middlebox
from harness.reach import Reach

Live = Callable[[VirtualClient], Awaitable[None]]


class People:
    """Makes clients, and sees that no channel is used before its witness is live.

    `salt` sets the uids of this case apart from those of all others.
    """

    def __init__(
        self,
        *,
        profile: Profile,
        profiled: Profiled,
        reach: Reach,
        recorder: Recorder,
        rng: random.Random,
        retry_ms: int,
        salt: str,
        live: Live,
    ) -> None:
        self.clients: dict[str, VirtualClient] = {}
        self.witnesses: dict[str, VirtualClient] = {}
        self.closes: dict[str, Close] = {}
        self.labels: dict[str, str] = {}
        self._profile = profile
        self._profiled = profiled
        self._reach = reach
        self._recorder = recorder
        self._rng = rng
        self._retry_ms = retry_ms
        self._salt = salt
        self._live = live

    def uid(self, label: str) -> str:
        """The cookie of a user; "" where there are no users."""
        return f"{self._salt}-{label}" if self._profile in PERSONAL else ""

    def running(self) -> list[VirtualClient]:
        """Every tab that is open, witnesses too."""
        return [one for one in self.clients.values() if one.running]

    async def witnessed(self, label: str) -> None:
        """See that this user's chat has a witness, before anything happens in it."""
        uid = self.uid(label)
        if uid not in self.witnesses:
            name = WITNESS if label == USER else witness_of(label)
            witness = self.witnesses[uid] = self.make(
                name, label=label, start=Start.STREAM_FIRST, direct=True
            )
            witness.open()
            await self._live(witness)

    async def calls(
        self, by: VirtualClient | str, label: str, *, supports: bool = False
    ) -> Calls:
        """Calls about this user's chat: by a tab's own user, else in their place.

        Who `supports` writes by the support side's call, where there is one.
        """
        if isinstance(by, VirtualClient):
            return by.calls
        await self.witnessed(label)
        token = self._profiled.operator_token if supports else ""
        return self._reach.calls(by, uid=self.uid(label), token=token)

    def make(
        self,
        name: str,
        *,
        label: str,
        start: Start,
        pings: bool = True,
        close: Close = Close.FIN,
        direct: bool = False,
        behind: Middlebox | None = None,
        bare: Bare | None = None,
    ) -> VirtualClient:
        """A tab of this user, not opened yet."""
        if name in self.clients:
            raise ValueError(f"two clients named {name!r}")
        way = self._reach.way(
            name, direct=direct, close=close, behind=behind, bare=bare
        )
        self.closes[name], self.labels[name] = close, label
        client = self.clients[name] = VirtualClient(
            name=name,
            http=way.streams,
            calls=self._reach.calls(name, uid=self.uid(label)),
            paths=self._profiled.paths,
            recorder=self._recorder,
            rng=random.Random(f"{self._rng.random()} {name}"),
            retry_ms=self._retry_ms,
            limit=self._profiled.limits.message_limit,
            start=start,
            pings=pings,
            resumes=self._profile is not Profile.NAIVE,
        )
        return client

    def agree(self) -> bool:
        """Whether every open tab shows what the witness of its channel shows."""
        return all(
            one.live and self._same(one, self.witnesses[one.uid])
            for one in self.running()
        )

    def _same(self, one: VirtualClient, other: VirtualClient) -> bool:
        """Tabs of a personal profile are compared as far as both look back."""
        ours, theirs = one.view.messages(), other.view.messages()
        if self._profile in WINDOWED:
            return ours == theirs
        both = min(len(ours), len(theirs))
        return bool(ours) == bool(theirs) and _last(ours, both) == _last(theirs, both)


def _last(messages: tuple[Message, ...], count: int) -> tuple[Message, ...]:
    return messages[len(messages) - count :]
