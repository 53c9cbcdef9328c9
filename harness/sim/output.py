"""What the target prints goes where its life says, what others print goes out."""

from collections.abc import Iterable
from typing import Any, TextIO

from harness.sim.life import LIFE


class Output:
    """Stands for `sys.stdout` or `sys.stderr` while a case runs."""

    def __init__(self, real: TextIO) -> None:
        self._real = real
        self.buffer = _Buffer(real)

    def write(self, text: str) -> int:
        """Write text, which must be some, as the real one says."""
        life = LIFE.get()
        if life is None or not isinstance(text, str):
            return self._real.write(text)
        life.write(text)
        return len(text)

    def writelines(self, lines: Iterable[str]) -> None:
        """Write one after the other."""
        for line in lines:
            self.write(line)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)


class _Buffer:
    """The bytes below."""

    def __init__(self, real: TextIO) -> None:
        self._real = real

    def write(self, data: bytes) -> int:
        life = LIFE.get()
        if life is None:
            return self._real.buffer.write(data)
        life.write(bytes(data).decode(errors="replace"))
        return len(data)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real.buffer, name)
