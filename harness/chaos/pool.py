"""The processes of a hunt: errands go in, reports come out, nothing stays behind."""

import multiprocessing
import queue
import time
from collections.abc import Collection, Iterator, Sequence
from types import TracebackType

import msgspec

from harness.chaos.worker import Errand, Report, work
from harness.core.errors import CouldNotRun

LOOK_S = 0.2
END_S = 5.0
"""How long a worker may take to end that was told to."""


class Pool:
    """Runs errands in `jobs` processes; leaving the block ends them."""

    def __init__(self, errands: Sequence[Errand], *, jobs: int) -> None:
        context = multiprocessing.get_context("spawn")
        self._errands = context.Queue()
        self._errands.cancel_join_thread()  # no end of ours waits for who reads it
        self._reports = context.Queue()
        for errand in errands:
            self._errands.put(msgspec.msgpack.encode(errand))
        for _ in range(jobs):
            self._errands.put(b"")
        self._ended: dict[int, float] = {}
        self._workers = [
            context.Process(
                target=work, args=(number, self._errands, self._reports), daemon=True
            )
            for number in range(jobs)
        ]

    def __enter__(self) -> "Pool":
        for worker in self._workers:
            worker.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.end_all_but(())
        until_s = time.monotonic() + END_S
        for worker in self._workers:
            worker.join(max(0.0, until_s - time.monotonic()))
            if worker.is_alive():
                worker.kill()
                worker.join()
        for each in (self._errands, self._reports):
            each.cancel_join_thread()
            each.close()

    def end_all_but(self, kept: Collection[int]) -> None:
        """End every worker but these.

        Each may finish its trial, and tell its find, first; go on with `reports`.
        """
        for number, worker in enumerate(self._workers):
            if number not in kept and number not in self._ended:
                self._ended[number] = time.monotonic() + END_S
                worker.terminate()

    def keep(self, number: int) -> None:
        """Let a worker end by itself, also one that was told to end."""
        self._ended.pop(number, None)

    def reports(self) -> Iterator[Report | None]:
        """Each as it comes, None for every while without one, to look at the time.

        Ends with the last worker; raises `CouldNotRun` when one dies of itself.
        """
        while True:
            alive = any(worker.is_alive() for worker in self._workers)
            try:
                data = self._reports.get(timeout=LOOK_S)
            except queue.Empty:
                if not alive:
                    self._check()
                    return
                self._kill_late()
                yield None
            else:
                yield msgspec.msgpack.decode(data, type=Report)

    def _kill_late(self) -> None:
        for number, until_s in self._ended.items():
            if time.monotonic() > until_s:
                self._workers[number].kill()

    def _check(self) -> None:
        for number, worker in enumerate(self._workers):
            if worker.exitcode and number not in self._ended:
                raise CouldNotRun(
                    f"a worker of the hunt died with exit status {worker.exitcode}"
                )
