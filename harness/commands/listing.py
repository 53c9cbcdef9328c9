"""`unbroken list`: scenarios and requirements, and what is judged by what."""

import pytest
from rich.console import Console
from rich.table import Table

from harness.commands.engine import NIGHTLY, Listener, engine, option
from scenarios.requirements import REQUIREMENTS


def listing(*, keyword: str | None, requirement: str | None) -> int:
    """Print both tables; gives the exit status."""
    listener = Listener()
    arguments = ["--collect-only", option("requirement", requirement or ""), NIGHTLY]
    engine(listener, arguments, keyword=keyword, jobs=1, apart=False)
    judged_by: dict[str, dict[str, None]] = {slug: {} for slug in REQUIREMENTS}
    found: dict[str, tuple[tuple[str, ...], dict[str, None]]] = {}
    for item in listener.collected:
        assert isinstance(item, pytest.Function)
        when = " (nightly)" if item.get_closest_marker("nightly") else ""
        name = f"{item.path.name}::{item.originalname}{when}"
        mark = item.get_closest_marker("judges")
        slugs = mark.args if mark is not None else ()
        _, profiles = found.setdefault(name, (slugs, {}))
        profiles[str(item.callspec.params["profile"])] = None
        for slug in slugs:
            judged_by[slug][name] = None
    console = Console()
    for name, (slugs, profiles) in found.items():
        console.print(name, style="bold", markup=False, highlight=False)
        console.print(f"    {', '.join(slugs)}", highlight=False)
        console.print(f"    in {', '.join(profiles)}", highlight=False, style="dim")
    table = Table("requirement", "level", "scenarios", box=None, pad_edge=False)
    for slug, names in judged_by.items():
        if names:
            table.add_row(slug, REQUIREMENTS[slug].level, str(len(names)))
    console.print()
    console.print(table)
    return 0
