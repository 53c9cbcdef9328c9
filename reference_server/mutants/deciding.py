"""Wrappers of the resume decision, for mutants that only change a verdict."""

from collections.abc import Callable

from reference_server.components import Decide
from reference_server.core.resume import Decision

Change = Callable[[Decision, int, int], Decision]


def changing(clean: Decide, change: Change) -> Decide:
    """The clean decision, passed through `change(decision, head, oldest)`."""

    def decide(text: str | None, /, *, epoch: str, head: int, oldest: int) -> Decision:
        decision = clean(text, epoch=epoch, head=head, oldest=oldest)
        return change(decision, head, oldest)

    return decide


def counting(
    clean: Decide, kind: type, change: Callable[[int], Decision | None]
) -> Decide:
    """The clean decision, or what `change(n)` says for the n-th one of `kind`."""
    count = 0

    def replaced(decision: Decision, _: int, __: int) -> Decision:
        nonlocal count
        if not isinstance(decision, kind):
            return decision
        count += 1
        return change(count) or decision

    return changing(clean, replaced)
