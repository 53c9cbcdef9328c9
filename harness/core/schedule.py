"""A schedule: one random case as plain data, and the file that it is kept in.

JSON, so that a shrunk case can be read, mended by hand, mailed and replayed on either
arm. Everything that decides the run is in it; `found` tells what a hunt found with it.
"""

import hashlib
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, get_args

import msgspec

from harness.core.errors import BadInput
from harness.core.stamp import UNREADABLE, Stamp
from harness.core.steps import LASTING, During, Open, Step, Tab, inside, named_in
from harness.core.target import Target

FORMAT = "unbroken-case"
VERSION = 1
MAX_DEPTH = 6
"""Blocks within blocks; deeper ones are no case but an attack on the stack."""

Limit = Annotated[int, msgspec.Meta(ge=1, le=10_000)]
Retention = Annotated[int, msgspec.Meta(ge=500, le=60_000)]


class CaseLimits(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    omit_defaults=True,
    forbid_unknown_fields=True,
):
    """Limits that the target is started with instead of its declared ones.

    One that its profile does not have, or that its start does not take, stays as it is.
    """

    message_limit: Limit
    event_log_limit: Limit
    retention_ms: Retention | None = None


class Found(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a hunt found with this schedule."""

    requirement: str
    sentence: str


class Schedule(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Target, limits, clients, steps and the seed of everything else."""

    format: str = FORMAT
    version: int = VERSION
    target: str
    profile: str
    mutant: str = ""
    seed: int
    limits: CaseLimits
    clients: tuple[Tab, ...]
    steps: tuple[Step, ...]
    found: Found | None = None


_TAGS = tuple(str(kind.__struct_config__.tag) for kind in get_args(Step))


def parse_case(data: bytes, *, name: str = "case") -> Schedule:
    """Read a schedule; raises `BadInput` that names the place and the way out."""
    _check_format(data, name)
    try:
        schedule = msgspec.json.decode(data, type=Schedule)
    except UNREADABLE as error:
        raise BadInput(f"{name}: {error}{_hint(str(error), data)}") from error
    _check(schedule, name)
    return schedule


def load_case(path: Path) -> Schedule:
    """Read a case file; raises `BadInput` when it cannot be read or is none."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise BadInput(f"{path}: {error.strerror or error}") from error
    return parse_case(data, name=str(path))


def encode_case(schedule: Schedule) -> bytes:
    """The file of a schedule: JSON for people, newline at the end."""
    return msgspec.json.format(msgspec.json.encode(schedule), indent=2) + b"\n"


def case_hash(schedule: Schedule) -> str:
    """Twelve digits that tell runs apart: of all that decides a run, `found` not."""
    bare = msgspec.structs.replace(schedule, found=None)
    canonical = msgspec.json.encode(bare, order="sorted")
    return hashlib.sha256(canonical).hexdigest()[:12]


def case_name(schedule: Schedule) -> str:
    """The name of its file."""
    return f"case-{case_hash(schedule)}.json"


def narrowed(target: Target, schedule: Schedule) -> Target:
    """The target with the schedule's limits; raises `BadInput` without the profile."""
    if schedule.profile not in target.profiles:
        raise BadInput(
            f"the case is of profile {schedule.profile!r}, which target "
            f"{target.name!r} does not have; it has: {', '.join(target.profiles)}"
        )
    limits: dict[str, int | None] = msgspec.structs.asdict(schedule.limits)
    return target.with_limits(schedule.profile, limits)


def every_step(steps: Sequence[Step]) -> Iterator[Step]:
    """All steps, those inside blocks after their block."""
    for step in steps:
        yield step
        yield from every_step(inside(step))


def _check_format(data: bytes, name: str) -> None:
    try:
        stamp = msgspec.json.decode(data, type=Stamp)
    except msgspec.ValidationError as error:
        raise BadInput(
            f"{name}: not a case: {error}; a case is a JSON object with "
            f'"format": "{FORMAT}", as `unbroken chaos` writes it'
        ) from error
    except UNREADABLE as error:
        raise BadInput(
            f"{name}: not JSON: {error}; give a case-*.json file that "
            "`unbroken chaos` wrote"
        ) from error
    if stamp.format != FORMAT:
        raise BadInput(
            f"{name}: format is {stamp.format!r}, expected {FORMAT!r}; give a "
            "case-*.json file that `unbroken chaos` wrote"
        )
    if stamp.version != VERSION:
        raise BadInput(
            f"{name}: case version {stamp.version}, this unbroken reads version "
            f"{VERSION}; use the release that wrote it"
        )


def _hint(message: str, data: bytes) -> str:
    """The value that is wrong, and what is known in its place."""
    if "`step`" in message or message.endswith(".step`"):
        return f"; known steps: {', '.join(_TAGS)}"
    found = re.search(r"at `\$([^`]*)`$", message)
    if found is None or "unknown field" in message or "missing" in message:
        return "; a case has the keys that `unbroken chaos` writes, and no others"
    value = msgspec.json.decode(data)
    for key, index in re.findall(r"\.(\w+)|\[(\d+)\]", found[1]):
        value = value[key] if key else value[int(index)]
    return f"; it is {msgspec.json.encode(value).decode()[:80]}: mend or remove it"


def _check(schedule: Schedule, name: str) -> None:
    if _depth(schedule.steps) > MAX_DEPTH:
        raise BadInput(f"{name}: blocks lie more than {MAX_DEPTH} deep; flatten them")
    known = [tab.name for tab in schedule.clients]
    known += [
        step.tab.name for step in every_step(schedule.steps) if isinstance(step, Open)
    ]
    _check_names(known, name)
    for step in every_step(schedule.steps):
        for who in named_in(step):
            if who not in known:
                raise BadInput(
                    f"{name}: step {_tag(step)!r} names client {who!r}; known: "
                    f"{', '.join(known) or 'none'}; add it to clients or open it"
                )
        if isinstance(step, During):
            _check_amount(step, name)


def _check_names(known: list[str], name: str) -> None:
    taken = ("witness", "writer", "reader", "nemesis", "pinger", "vandal")
    for who in known:
        if known.count(who) > 1:
            raise BadInput(f"{name}: two clients named {who!r}; give each its own name")
        if who in taken or who.startswith(("writer-", "probe-")):
            raise BadInput(
                f"{name}: a client named {who!r} would be taken for the harness's "
                "own; choose another name"
            )


def _check_amount(step: During, name: str) -> None:
    if step.fault not in LASTING:
        known = ", ".join(LASTING)
        raise BadInput(
            f"{name}: fault {str(step.fault)!r} does not last over a block; those "
            f"that do: {known}"
        )
    low, high = LASTING[step.fault]
    if not low <= step.amount <= high:
        raise BadInput(
            f"{name}: {step.fault} with amount {step.amount}; it must be in "
            f"{low}..{high}"
        )


def _depth(steps: Sequence[Step]) -> int:
    return 1 + max((_depth(inside(step)) for step in steps), default=0)


def _tag(step: Step) -> str:
    return str(step.__struct_config__.tag)
