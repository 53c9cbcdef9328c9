"""pytest as the engine: started in this process, listened to, never shown."""

import os
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Protocol

import pluggy
import psutil
import pytest

# Not public, but without it a malformed -k is an internal error of pytest-xdist.
from _pytest.mark.expression import Expression

import scenarios
from harness import options
from harness.core.errors import BadInput, CouldNotRun
from harness.prefork.start import Preload, preforked
from reports.result import CaseResult, Outcome, decode_case

SCENARIOS = Path(scenarios.__file__).parent
NIGHTLY = options.PREFIX + "nightly"


class Progress(Protocol):
    """Who wants to know how far a run is."""

    def start(self, total: int) -> None: ...
    def case_started(self, name: str) -> None: ...
    def case_done(self, case: CaseResult) -> None: ...
    def stop(self) -> None: ...


class Listener:
    """A pytest plugin on the controller's side: gathers the results of all workers."""

    def __init__(self, progress: Progress | None = None) -> None:
        self.cases: dict[str, CaseResult] = {}
        self.collected: list[pytest.Item] = []
        self.at_start: Callable[[], None] | None = None
        self._progress = progress
        self._started = False
        self._has_workers = False
        self._errors: list[str] = []

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Without workers, this process collects."""
        self.collected = list(session.items)
        self._start(len(session.items))

    def pytest_xdist_node_collection_finished(
        self, node: object, ids: Sequence[str]
    ) -> None:
        """Every worker collects the same; the first one to tell is believed."""
        del node
        self._start(len(ids))

    def pytest_testnodeready(self) -> None:
        """A worker is there, and with it all children that this process has then."""
        self._has_workers = True

    def pytest_keyboard_interrupt(self) -> None:
        """End the workers: one that was not interrupted would go on for a while.

        What they have started ends with them, and they with their launchers. The other
        children are what workers and targets are forked from, of no more use now.
        """
        for worker in psutil.Process().children() if self._has_workers else ():
            with suppress(psutil.Error):
                worker.terminate()

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """A scenario file that does not load is trouble, never a missing case."""
        if report.failed:
            self._errors.append(f"{report.nodeid}: {report.longrepr}")

    def pytest_runtest_logstart(self, nodeid: str) -> None:
        """A case begins, here or on a worker."""
        if self._progress is not None:
            self._progress.case_started(_name(nodeid))

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """A case's result comes with its set-up; without one something crashed."""
        text = getattr(report, options.RESULT, None)
        if text is not None:
            self._keep(report.nodeid, decode_case(text))
        elif report.failed and report.nodeid not in self.cases:
            self._keep(report.nodeid, _crashed(report))

    def check(self, status: int, asked: str) -> None:
        """Raise what pytest's exit status says beyond the results.

        `asked` is the selection in the user's words.
        """
        if self._errors:
            raise CouldNotRun("scenarios do not load:\n" + "\n".join(self._errors))
        if status == pytest.ExitCode.INTERRUPTED:
            raise KeyboardInterrupt
        if status == pytest.ExitCode.NO_TESTS_COLLECTED:
            raise BadInput(
                f"no scenario matches {asked or 'at all'}; `unbroken list` shows them "
                "(those that are nightly need --nightly)"
            )
        if status == pytest.ExitCode.USAGE_ERROR:
            raise BadInput("the scenarios could not be selected; see the line above")
        if status == pytest.ExitCode.INTERNAL_ERROR:
            raise CouldNotRun("pytest broke down; see the lines above")

    def _start(self, total: int) -> None:
        if self._started:
            return
        self._started = True
        if self.at_start is not None and total:
            self.at_start()
        if self._progress is not None:
            self._progress.start(total)

    def _keep(self, nodeid: str, result: CaseResult) -> None:
        self.cases[nodeid] = result
        if self._progress is not None:
            self._progress.case_done(result)


def engine(
    listener: Listener,
    arguments: Sequence[str],
    *,
    keyword: str | None,
    jobs: int,
    apart: bool,
    preload: Preload | None = None,
) -> None:
    """Run pytest on the scenarios; raises what is no result of a case.

    With `apart` or several jobs the cases run in processes of their own, which then
    share what is to `preload`.
    """
    _check_keyword(keyword or "")
    selection = ["-k", keyword] if keyword else []
    command = [
        str(SCENARIOS),
        *("-c", str(SCENARIOS / "pytest.ini"), "--rootdir", str(SCENARIOS)),
        *("-p", "no:terminal", "-p", "no:cacheprovider"),
        # It collects garbage five times over when a worker has nothing left to do.
        *("-p", "no:unraisableexception"),
        "--assert=plain",  # or every worker rewrites scenarios, which assert nothing
        *selection,
        *arguments,
    ]
    os.environ.pop("PYTEST_ADDOPTS", None)
    # A second Ctrl-C breaks pytest-xdist off in its own clean-up.
    warnings.simplefilter("ignore", pluggy.PluggyTeardownRaisedWarning)
    asked = [f"-k {keyword!r}"] * bool(keyword)
    wanted = option("requirement", "")
    asked += [
        f"--requirement {one.removeprefix(wanted)!r}"
        for one in arguments
        if one.startswith(wanted) and one != wanted
    ]
    with _workers(jobs if jobs > 1 or apart else 0, preload) as workers:
        status = pytest.main([*command, *workers], plugins=[listener])
    listener.check(status, " and ".join(asked))


@contextmanager
def _workers(jobs: int, preload: Preload | None) -> Iterator[list[str]]:
    """Options of pytest-xdist: what `-n` would choose, but that they are forks."""
    if not jobs:
        yield []
        return
    with preforked(preload) as (spec, forks):
        dist = ["--dist", "worksteal", "--max-worker-restart", str(4 * jobs)]
        yield [option("forks", forks), *dist, *(["--tx", spec] * jobs)]


def _check_keyword(keyword: str) -> None:
    """Pytest's workers all die of an expression that pytest cannot read."""
    try:
        Expression.compile(keyword)
    except SyntaxError as error:
        raise BadInput(
            f"-k {keyword!r} is malformed: {error.msg}; write names joined by "
            "`and`, `or` and `not`, such as 'cut and not rst'"
        ) from error


def option(name: str, value: object) -> str:
    """One of the plugin's own options."""
    return f"{options.PREFIX}{name}={value}"


def ordered(cases: dict[str, CaseResult]) -> list[CaseResult]:
    """Results in the order of their names, whichever worker was first."""
    return [cases[nodeid] for nodeid in sorted(cases)]


def _crashed(report: pytest.TestReport) -> CaseResult:
    return CaseResult(
        scenario=_name(report.nodeid),
        outcome=Outcome.COULD_NOT_RUN,
        reasons=(f"the harness broke down: {_last_line(report)}",),
    )


def _last_line(report: pytest.TestReport) -> str:
    """What was raised; of a traceback the last line."""
    crash = getattr(report.longrepr, "reprcrash", None)
    text = str(getattr(crash, "message", "")) or report.longreprtext
    lines = [line for line in text.splitlines() if line.strip()]
    return lines[-1] if lines else "no reason given"


def _name(nodeid: str) -> str:
    return nodeid.rpartition("/")[2]
