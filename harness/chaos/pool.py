"""The processes of a hunt: errands go in, reports come out, nothing stays behind."""

import multiprocessing
import queue
import time
from collections.abc import Iterator, Sequence
from types import TracebackType

import msgspec

from harness.chaos.worker import Errand, Report, work
from harness.core.errors import CouldNotRun

LOOK_S = 0.2
END_S = 5.0


class Pool:
    """Runs errands in `jobs` processes; leaving the block ends them."""

    def __init__(self, errands: Sequence[Errand], *, jobs: int) -> None:
        context = multiprocessing.get_context("spawn")
        self._errands = context.Queue()
        self._reports = context.Queue()
        for errand in errands:
            self._errands.put(msgspec.msgpack.encode(errand))
        for _ in range(jobs):
            self._errands.put(b"")
        self._ended: set[int] = set()
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
        self.end_all_but(-1)
        for each in (self._errands, self._reports):
            each.cancel_join_thread()
            each.close()

    def end_all_but(self, number: int) -> None:
        """End every worker but this one; each may finish its trial first."""
        self._ended |= set(range(len(self._workers))) - {number}
        ending = [self._workers[n] for n in sorted(self._ended)]
        for worker in ending:
            worker.terminate()
        until = time.monotonic() + END_S
        for worker in ending:
            worker.join(max(0.0, until - time.monotonic()))
            if worker.is_alive():
                worker.kill()
                worker.join()

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
                yield None
            else:
                yield msgspec.msgpack.decode(data, type=Report)

    def _check(self) -> None:
        for number, worker in enumerate(self._workers):
            if worker.exitcode and number not in self._ended:
                raise CouldNotRun(
                    f"a worker of the hunt died with exit status {worker.exitcode}"
                )
