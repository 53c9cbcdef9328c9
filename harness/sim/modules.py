"""The modules of an application: imported afresh for each life, gone after the case."""

import contextlib
import importlib
import os
import sys
import sysconfig
from collections.abc import Iterator
from types import ModuleType

from harness.core.target import App

LIBRARIES = tuple(
    sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib")
)
OURS = ("harness", "reports", "scenarios")


class Modules:
    """What one application imports, itself included, as far as it is no library.

    With a factory nothing is forgotten: what it makes has no state of an earlier life.
    """

    def __init__(self, app: App) -> None:
        self._package = app.app.partition(":")[0].partition(".")[0]
        self._factory = app.factory
        self._folder = app.folder
        self._before: dict[str, ModuleType] = {}

    @contextlib.contextmanager
    def kept(self) -> Iterator[None]:
        """Afterwards what was imported before is imported again, as it was.

        Meanwhile the folder of the target file and the current directory are looked
        through too, after everything else: no library is hidden by a file there.
        """
        path = list(sys.path)
        sys.path += [*filter(None, [self._folder]), os.getcwd()]
        self._before = dict(sys.modules)
        if not self._factory:
            importlib.invalidate_caches()
        try:
            yield
        finally:
            sys.path[:] = path
            for name in self.forget():
                if name in self._before:
                    sys.modules[name] = self._before[name]

    def forget(self) -> list[str]:
        """Have them imported afresh: their state is a life's."""
        if self._factory:
            return []
        names = [name for name, one in list(sys.modules.items()) if self._is(name, one)]
        for name in names:
            del sys.modules[name]
        return names

    def _is(self, name: str, module: ModuleType) -> bool:
        package = name.partition(".")[0]
        place = _place(module)
        if not place or package in OURS:
            return False
        library = place.startswith(LIBRARIES)
        if package == self._package:
            return not library or name not in self._before
        return not library and name not in self._before


def _place(module: ModuleType) -> str:
    """A module's file, the first folder of a namespace, "" for neither."""
    file = getattr(module, "__file__", None)
    folders = getattr(module, "__path__", None)
    return str(file or next(iter(folders or ()), ""))
