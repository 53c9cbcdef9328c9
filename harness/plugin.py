"""The pytest plugin: a scenario is a test whose outcome is the oracle's verdict.

| outcome of the case | in pytest |
|---|---|
| passed, warning | passed (a warning is a property of the report) |
| failed: a MUST is broken | failed |
| could not run | error: the case runs in the set-up phase |
| not applicable | skipped |
"""

from __future__ import annotations

import gc
from collections.abc import Generator
from typing import TYPE_CHECKING

import pytest

from harness import options
from harness.core.errors import HarnessError
from harness.deal import deal
from harness.parent import end_with_parent
from reports.result import CaseResult, Outcome, encode_case

if TYPE_CHECKING:  # heavy, and not needed by a run without scenarios
    from harness.judged import Asked, Session

session_key = pytest.StashKey["Session"]()
result_key = pytest.StashKey[CaseResult]()

MUTANT, PROFILE, PROFILES, ARMS = "mutant", "profile", "profiles", "arms"
profiles_key = pytest.StashKey[tuple[str, ...]]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Options of `pytest scenarios`; the command line passes them on."""
    options.add(parser)


def pytest_configure(config: pytest.Config) -> None:
    """Register the mark that makes a test a scenario; refuse what cannot be run."""
    config.addinivalue_line(
        "markers", "judges(*requirements, profiles, arms): what a case must exercise"
    )
    config.addinivalue_line(
        "markers", "nightly(alone=False): runs only when asked to; takes long"
    )
    config.addinivalue_line(
        "markers",
        "waits(seconds): about so long; begun apart where cases run at once",
    )
    config.addinivalue_line(
        "markers", "limits(**limits): what the target is started with, if it takes it"
    )
    if options.is_asked(config):
        try:
            options.settings_of(config)
        except HarnessError as error:
            raise pytest.UsageError(str(error)) from error


@pytest.hookimpl(tryfirst=True)  # so that a case's name begins with its profile
def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run a scenario once for each profile that it is of, and that is asked for.

    With mutants also once for each that it must catch.
    """
    mark = metafunc.definition.get_closest_marker("judges")
    if mark is None:
        return
    asked = [one for one in _profiles(metafunc.config) if one in mark.kwargs[PROFILES]]
    cases = [(one, "") for one in asked]
    mutants = options.mutants_of(metafunc.config)
    for mutant in mutants or ():
        judged = mutant.requirement in _judged(mark, mutant.profile)
        if mutant.profile in asked and judged:
            cases.append((mutant.profile, mutant.name))
    metafunc.fixturenames += [PROFILE, MUTANT]
    metafunc.parametrize(
        (PROFILE, MUTANT),
        cases or [("", "")],
        ids=[_id(*one, mutants=mutants is not None) for one in cases] or ["none"],
    )


def _id(profile: str, mutant: str, *, mutants: bool) -> str:
    return f"{profile}-{mutant or 'clean'}" if mutants else profile


def _profiles(config: pytest.Config) -> tuple[str, ...]:
    if profiles_key not in config.stash:
        try:
            config.stash[profiles_key] = options.settings_of(config).profiles
        except HarnessError as error:
            raise pytest.UsageError(str(error)) from error
    return config.stash[profiles_key]


@pytest.hookimpl(trylast=True)  # what -k leaves out is not dealt
def pytest_collection_modifyitems(
    config: pytest.Config, items: list[pytest.Item]
) -> None:
    """Keep the scenarios that judge what was asked for, and take no longer.

    Where nightly ones are wanted, pytest's bound would count the wait for a turn: there
    each case has its own alone.
    """
    kept = [item for item in items if _is_wanted(config, item)]
    if len(kept) < len(items):
        config.hook.pytest_deselected(items=[i for i in items if i not in kept])
        items[:] = kept
    for item in kept if options.nightly_of(config) else ():
        item.add_marker(pytest.mark.timeout(0))
    # pytest-xdist's, in a worker; its variables reach whatever a test starts, too.
    told = getattr(config, "workerinput", {"workercount": 1})
    items[:] = deal(items, told["workercount"], _waits_s)


def _waits_s(item: pytest.Item) -> float:
    mark = item.get_closest_marker("waits") if _marked(item) else None
    return float(mark.args[0]) if mark is not None else 0.0


def _is_wanted(config: pytest.Config, item: pytest.Item) -> bool:
    pattern = options.requirement_of(config)
    if item.get_closest_marker("judges") is None:
        return not pattern
    marked = _marked(item)
    if not marked or (pattern and not options.matches(pattern, marked)):
        return False
    return not item.get_closest_marker("nightly") or options.nightly_of(config)


@pytest.fixture
def world() -> None:
    """A scenario's world, made for it when it runs."""


@pytest.fixture
def mutant() -> str:
    """The mutant that a case runs against; "" for the target as it is."""
    return ""


@pytest.fixture
def profile() -> str:
    """The profile that a case runs against."""
    return ""


@pytest.hookimpl(wrapper=True)
def pytest_runtest_setup(item: pytest.Item) -> Generator[None, None, None]:
    """Run the case and judge it; what could not be run is an error of the set-up."""
    yield
    if not _marked(item):
        return
    session = _session(item.config)
    result = item.stash[result_key] = session.run(_request(item))
    if result.outcome is Outcome.COULD_NOT_RUN:
        pytest.fail("could not run: " + "; ".join(result.reasons), pytrace=False)
    if result.outcome is Outcome.NOT_APPLICABLE:
        pytest.skip("; ".join(result.reasons))


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> object:
    """The scenario ran in the set-up; here its verdict becomes the test's."""
    result = pyfuncitem.stash.get(result_key, None)
    if result is None:
        return None
    if result.outcome is Outcome.FAILED:
        pytest.fail(_broken(result), pytrace=False)
    return True


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Send the result along with the report, from worker to controller too."""
    report = yield
    result = item.stash.get(result_key, None)
    if result is not None and call.when == "setup":
        setattr(report, options.RESULT, encode_case(result))
        outcome = ("outcome", str(result.outcome))
        item.user_properties.append(outcome)  # the file is written from the last report
        report.user_properties.append(outcome)
    return report


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Give the arm's processes back."""
    running = session.config.stash.get(session_key, None)
    if running is not None:
        running.close()
        gc.freeze()  # or all that is held would be looked through before the end


def _session(config: pytest.Config) -> Session:
    from harness.judged import Session

    if session_key not in config.stash:
        if hasattr(config, "workerinput"):
            # xdist tells a worker only after its case.
            end_with_parent()
        gc.freeze()  # what is imported and collected stays
        try:
            config.stash[session_key] = Session(options.settings_of(config))
        except HarnessError as error:
            raise pytest.UsageError(str(error)) from error
    return config.stash[session_key]


def _request(item: pytest.Item) -> Asked:
    from harness.case import CASE_S, NIGHTLY_CASE_S
    from harness.judged import Asked

    assert isinstance(item, pytest.Function)
    nightly, limits = map(item.get_closest_marker, ("nightly", "limits"))
    arguments = {
        name: item.funcargs[name]
        for name in item._fixtureinfo.argnames
        if name not in ("world", MUTANT, PROFILE)
    }
    return Asked(
        name=_name(item),
        function=item.obj,
        arguments=arguments,
        requirements=_marked(item),
        arms=_arms(item),
        profile=str(_parameters(item)[PROFILE]),
        mutant=options.mutant_named(item.config, _parameters(item).get(MUTANT)),
        within_s=NIGHTLY_CASE_S if nightly else CASE_S,
        alone=bool(nightly and nightly.kwargs.get("alone")),
        limits=limits.kwargs if limits else {},
    )


def _parameters(item: pytest.Function) -> dict[str, object]:
    return item.callspec.params if hasattr(item, "callspec") else {}


def _name(item: pytest.Item) -> str:
    """`test_cuts.py::test_fin[param]`: without folders, so that histories compare."""
    return f"{item.path.name}::{item.name}"


def _marked(item: pytest.Item) -> tuple[str, ...]:
    """The requirements that a case must exercise: those that its profile has."""
    mark = item.get_closest_marker("judges")
    if mark is None or not isinstance(item, pytest.Function):
        return ()
    return _judged(mark, str(_parameters(item).get(PROFILE, "")))


def _arms(item: pytest.Item) -> tuple[str, ...]:
    mark = item.get_closest_marker("judges")
    arms: tuple[str, ...] = mark.kwargs[ARMS] if mark is not None else ()
    return arms


def _judged(mark: pytest.Mark, profile: str) -> tuple[str, ...]:
    """A scenario is of no use in a profile that it does not name."""
    from scenarios.requirements import REQUIREMENTS

    if profile not in mark.kwargs[PROFILES]:
        return ()
    return tuple(one for one in mark.args if profile in REQUIREMENTS[one].profiles)


def _broken(result: CaseResult) -> str:
    return "\n".join(
        f"{finding.requirement}: {finding.sentence} (ops {list(finding.ops)})"
        for judgement in result.judgements
        for finding in judgement.findings
        if finding.sighting == "broken"
    )
