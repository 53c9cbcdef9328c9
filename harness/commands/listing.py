"""`unbroken list`: scenarios and requirements, and what is judged by what."""

from rich.console import Console
from rich.table import Table

from harness.commands.engine import NIGHTLY, Listener, engine, option
from scenarios.requirements import REQUIREMENTS


def listing(*, keyword: str | None, requirement: str | None) -> int:
    """Print both tables; gives the exit status."""
    listener = Listener()
    arguments = ["--collect-only", option("requirement", requirement or ""), NIGHTLY]
    engine(listener, arguments, keyword=keyword, jobs=1, apart=False)
    judged_by: dict[str, list[str]] = {slug: [] for slug in REQUIREMENTS}
    console = Console()
    for item in listener.collected:
        name = f"{item.path.name}::{item.name}"
        mark = item.get_closest_marker("judges")
        slugs = mark.args if mark is not None else ()
        when = " (nightly)" if item.get_closest_marker("nightly") else ""
        console.print(name + when, style="bold", markup=False, highlight=False)
        console.print(f"    {', '.join(slugs)}", highlight=False)
        for slug in slugs:
            judged_by[slug].append(name)
    table = Table("requirement", "level", "scenarios", box=None, pad_edge=False)
    for slug, names in judged_by.items():
        if names:
            table.add_row(slug, REQUIREMENTS[slug].level, str(len(names)))
    console.print()
    console.print(table)
    return 0
