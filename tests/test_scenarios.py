"""Scenarios as a set: each says what it is and judges, each requirement is judged."""

import ast
import inspect
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from harness.core.profile import RESETTING, RESUMABLE, Profile
from scenarios.requirements import LOG, REQUIREMENTS, judges

ROOT = Path(__file__).parents[1]
FILES = sorted((ROOT / "scenarios").glob("test_*.py"))
NAMELESS = {
    "utils",
    "util",
    "helpers",
    "helper",
    "common",
    "misc",
    "tools",
    "base_utils",
}


def functions() -> dict[str, Callable[..., Any]]:
    found = {}
    for path in FILES:
        module = import_module(f"scenarios.{path.stem}")
        for name, value in vars(module).items():
            if name.startswith("test") and inspect.isfunction(value):
                found[f"{path.name}::{name}"] = value
    return found


SCENARIOS = functions()


def marked(function: Callable[..., Any]) -> tuple[str, ...]:
    marks = [m for m in getattr(function, "pytestmark", []) if m.name == "judges"]
    assert len(marks) == 1, "judged once"
    return tuple(marks[0].args)


def test_there_are_scenarios() -> None:
    assert len(FILES) >= 7
    assert len(SCENARIOS) >= 30
    for path in FILES:  # a name written twice hides the first
        names = [
            node.name
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
            if isinstance(node, ast.AsyncFunctionDef | ast.FunctionDef)
        ]
        assert len(names) == len(set(names)), path


@pytest.mark.parametrize("name", SCENARIOS)
def test_a_scenario_says_what_it_is_and_judges(name: str) -> None:
    function = SCENARIOS[name]
    assert inspect.iscoroutinefunction(function)
    title = (function.__doc__ or "").strip().splitlines()[:1]
    assert title, "a docstring, its first line the title in reports"
    assert title[0].endswith(".")
    assert "world" in inspect.signature(function).parameters
    slugs = marked(function)
    assert slugs
    assert len(slugs) == len(set(slugs))
    assert set(slugs) <= set(REQUIREMENTS)


def test_every_requirement_is_judged_in_each_of_its_profiles() -> None:
    judged = {
        (slug, profile)
        for function in SCENARIOS.values()
        for mark in function.pytestmark  # type: ignore[attr-defined]  # pytest's
        if mark.name == "judges"
        for slug in mark.args
        for profile in mark.kwargs["profiles"]
    }
    due = {(one.id, p) for one in REQUIREMENTS.values() for p in one.profiles}
    assert due - judged == set()


def test_titles_are_unique() -> None:
    titles = [str(f.__doc__).splitlines()[0] for f in SCENARIOS.values()]
    assert len(titles) == len(set(titles))


@pytest.mark.parametrize("slug", REQUIREMENTS)
def test_a_requirement_is_whole(slug: str) -> None:
    requirement = REQUIREMENTS[slug]
    area, _, name = slug.partition("/")
    assert slug == "converge" or (area and name)
    assert slug == slug.lower()
    assert " " not in slug
    assert requirement.id == slug
    assert requirement.profiles
    assert requirement.source
    assert requirement.text
    assert not requirement.text.endswith(".")
    assert "  " not in requirement.text


@pytest.mark.parametrize("slugs", [(), ("event/no-los",), ("converge", "Converge")])
def test_unknown_slugs_are_refused_where_they_are_written(
    slugs: tuple[str, ...],
) -> None:
    with pytest.raises(ValueError, match="not in the requirement table"):
        judges(*slugs)


def test_a_scenario_runs_in_the_profiles_that_have_all_that_it_judges() -> None:
    def profiles(*slugs: str, **fields: Any) -> tuple[Profile, ...]:
        chosen: tuple[Profile, ...] = judges(*slugs, **fields).mark.kwargs["profiles"]
        return chosen

    assert profiles("converge") == tuple(Profile)
    assert profiles("converge", "resume/at-head") == RESUMABLE
    assert profiles("reset/evicted", "event/no-loss") == RESETTING
    assert profiles("converge", "reset/evicted", profiles=LOG) == LOG
    with pytest.raises(ValueError, match="nothing to judge in"):
        judges("reset/evicted", profiles=LOG)
    with pytest.raises(ValueError, match="nothing to judge in any profile"):
        judges("init/window", "history/page-size")


def test_no_file_is_named_for_nothing() -> None:
    folders = ("harness", "scenarios", "reports", "reference_server", "tests")
    for folder in folders:
        for path in (ROOT / folder).rglob("*"):
            assert path.stem not in NAMELESS, path
