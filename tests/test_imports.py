"""Who may import whom: the layers of docs/architecture.md, walked and checked."""

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = ("harness", "scenarios", "reports", "reference_server")

WORLD = tuple(
    f"harness.{name}"
    for name in (
        "aim", "arm", "bad_input", "case", "crowds", "effects", "event", "link",
        "meter", "middlebox", "nemesis",
        "pace", "people", "reach", "sent", "storage", "swarm", "texts", "waiter",
        "walk",
        "world",
    )
)  # fmt: skip
OURS = ("harness", "scenarios", "reports")
FRONT = (*OURS, "click", "msgspec", "pytest", "rich")
"""Plugin and command line see everything but the reference server and toxiproxy."""

# The most specific row decides; the standard library is everybody's.
MAY_IMPORT: dict[str, tuple[str, ...]] = {
    "harness": (),
    "harness.core": ("harness.core", "msgspec"),
    "harness.checkers": ("harness.checkers", "harness.core", "msgspec"),
    "harness.client": (
        "harness.client", "harness.core", "httpx", "httpx_sse", "msgspec",
    ),
    "harness.client.transport": ("httpcore", "httpx"),
    **dict.fromkeys(WORLD, (*WORLD, "harness.client", "harness.core", "msgspec")),
    "harness.arm": ("harness.core", "httpcore"),
    "harness.bad_input": ("harness.client.body", "harness.core", "msgspec"),
    "harness.texts": ("harness.core",),
    "harness.arms": (
        "harness.case", "harness.sim.arm",
        "harness.live.arm", "harness.live.toxiproxy_binary",
    ),
    "harness.link": ("harness.client.transport", "harness.core", "httpcore"),
    "harness.reach": (
        "harness.arm", "harness.client", "harness.core", "harness.middlebox", "httpx",
    ),
    "harness.effects": ("harness.core", "harness.event"),
    "harness.event": (),
    "harness.aim": ("harness.core",),
    "harness.waiter": ("harness.core",),
    "harness.live": (
        "harness.live", "harness.client", "harness.core",
        "harness.arm", "harness.case", "harness.link", "harness.world",
        "filelock", "httpcore", "httpx", "platformdirs", "psutil",
    ),
    "harness.chaos": (
        "harness.chaos", "harness.checkers", "harness.core", "harness.world",
        "harness.arm", "harness.aim", "harness.bad_input", "harness.sent",
        "harness.texts", "harness.client.client", "hypothesis", "msgspec",
    ),
    "harness.sim": (
        "harness.sim", "harness.client", "harness.core",
        "harness.arm", "harness.case", "harness.link", "harness.world", "httpcore",
    ),
    "harness.sim.data": ("psutil",),
    "harness.sim.gauge": ("harness.core", "harness.sim", "psutil"),
    "harness.sim.host": (
        "harness.core", "harness.sim", "uvicorn",
        "a module chosen at run time",  # the target's application
    ),
    "harness.sim.clock": ("harness.sim", "time_machine"),
    "harness.sim.process": ("harness.sim", "anyio"),
    "harness.sim.server": (
        "harness.sim", "harness.arm", "harness.client", "harness.core", "httpx",
    ),
    "harness.prefork.start": ("harness.live.fork_server",),
    "harness.prefork.server": (
        "a module chosen at run time",  # what workers import in the end
    ),
    "harness.live.forking.__main__": (
        "a module chosen at run time",  # the target's libraries
    ),
    "harness.live.toxiproxy": ("harness.core", "requests", "toxiproxy"),
    **dict.fromkeys(
        ("harness.live.postgres_server", "harness.live.postgres_storage"),
        ("harness.live", "harness.core", "psutil", "psycopg"),
    ),
    "harness.chaos.trial": (
        "harness.case", "harness.chaos", "harness.checkers", "harness.core",
        "harness.world",
    ),
    "harness.chaos.worker": (
        "harness.arms", "harness.chaos", "harness.core", "harness.parent", "msgspec",
    ),
    "scenarios": (
        "scenarios", "harness.world", "harness.arm", "harness.core", "harness.swarm",
        "harness.texts",
        "harness.client.client", "msgspec", "pytest",
    ),
    "reports": ("reports", "harness.core", "jinja2", "markupsafe", "msgspec", "rich"),
    "reference_server": (
        "reference_server", "click", "sqlalchemy", "starlette", "uvicorn",
    ),
    "reference_server.postgres": ("psycopg", "sqlalchemy"),
    "harness.plugin": FRONT,
    "harness.options": FRONT,
    "harness.judged": FRONT,
    "harness.cli": FRONT,
    "harness.commands": FRONT,
    "harness.commands.engine": (*FRONT, "_pytest", "pluggy", "psutil"),  # runs pytest
}  # fmt: skip


def is_under(name: str, prefix: str) -> bool:
    return name == prefix or name.startswith(prefix + ".")


def imports_of(source: str, module: str) -> Iterator[str]:
    """Dotted names imported anywhere in a module, relative ones in full."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            parents = module.split(".")[: -node.level] if node.level else []
            base = ".".join([*parents, *filter(None, [node.module])])
            yield from (f"{base}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Call):
            called = ast.unparse(node.func).rpartition(".")[2]
            first = node.args[0] if node.args else None
            if called in ("import_module", "__import__"):
                literal = isinstance(first, ast.Constant)
                yield str(first.value) if literal else "a module chosen at run time"


def forbidden(source: str, module: str) -> list[str]:
    """What this module imports and may not."""
    rows = [row for row in MAY_IMPORT if is_under(module, row)]
    allowed = MAY_IMPORT[max(rows, key=len)] if rows else ()
    return [
        name
        for name in imports_of(source, module)
        if name.split(".")[0] not in sys.stdlib_module_names
        and not any(is_under(name, prefix) for prefix in allowed)
    ]


def modules() -> Iterator[tuple[str, Path]]:
    for package in PACKAGES:
        for path in sorted((ROOT / package).rglob("*.py")):
            parts = path.relative_to(ROOT).with_suffix("").parts
            yield ".".join(parts).removesuffix(".__init__"), path


def test_every_module_keeps_to_its_layer() -> None:
    found = {
        module: bad
        for module, path in modules()
        if (bad := forbidden(path.read_text(encoding="utf-8"), module))
    }
    assert found == {}


def test_every_row_is_of_some_module() -> None:
    known = [module for module, _ in modules()]
    unused = {
        row for row in MAY_IMPORT if not any(is_under(module, row) for module in known)
    }
    assert unused == set()


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("harness.core.codec", "import httpx"),
        ("harness.core.codec", "from harness.client.calls import Calls"),
        ("harness.core.codec", "from harness import world"),
        ("harness.core.codec", "import harness"),
        ("harness.core.codec", "from ..client import calls"),
        ("harness.core", "from harness.checkers import judge"),
        ("harness.checkers.judge", "from harness.client.view import ChatView"),
        ("harness.checkers.judge", "import reports.result"),
        ("harness.checkers.new", "from harness.world import World"),
        ("harness.client.client", "import httpcore"),
        ("harness.client.client", "from harness.world import World"),
        ("harness.client.transport", "from harness.core.history import F"),
        ("harness.world", "from harness.live.arm import LiveArm"),
        ("harness.world", "import harness.live"),
        ("harness.nemesis", "from harness.checkers import judge"),
        ("harness.case", "import pytest"),
        ("harness.live.arm", "import toxiproxy"),
        ("harness.live.arm", "from toxiproxy.api import APIConsumer"),
        ("harness.live.arm", "from harness.sim.loop import Loop"),
        ("harness.live.arm", "from harness.plugin import world"),
        ("harness.chaos.play", "from harness.sim.loop import Loop"),
        ("harness.chaos.draw", "from harness.nemesis import Nemesis"),
        ("harness.sim.loop", "from harness.live.sockets import dial"),
        ("harness.live.arm", "import reference_server"),
        ("harness.plugin", "import reference_server.app"),
        ("harness.commands.doctor", "import toxiproxy"),
        ("harness.cli", "if True:\n    def f():\n        import reference_server"),
        ("harness.cli", "import importlib\nimportlib.import_module('toxiproxy')"),
        ("harness.core.codec", "__import__('harness.world')"),
        ("harness.core.codec", "import importlib\nimportlib.import_module(x)"),
        ("scenarios.test_cuts", "from harness.live.arm import LiveArm"),
        ("scenarios.test_cuts", "from harness.client.calls import Calls"),
        ("scenarios.test_cuts", "from harness.nemesis import Nemesis"),
        ("reports.html", "from harness.checkers import judge"),
        ("reports.html", "from scenarios.requirements import REQUIREMENTS"),
        ("reference_server.app", "from harness.core.history import F"),
        ("harness.brand_new", "import msgspec"),
        ("elsewhere", "import msgspec"),
    ],
)  # fmt: skip
def test_a_planted_import_is_found(module: str, source: str) -> None:
    assert len(forbidden(source, module)) == 1


def test_what_is_allowed_is_not_found() -> None:
    source = "import json\nimport msgspec\nfrom . import fault\nfrom .fault import Aim"
    assert forbidden(source, "harness.core.codec") == []
    assert forbidden("from harness.client.client import Start", "scenarios.x") == []
