"""Do both arms give the same verdict on the clean server and on every mutant?

    unbroken mutants --all --out LIVE
    unbroken mutants --all --arm sim --out SIM
    python -m tests.parity.verdicts LIVE SIM

judges the histories of both, as `unbroken judge` does, and compares them scenario by
scenario. To agree is, for the clean server, to have the same outcome and break the same
requirements, none; for a mutant, to have the same outcome and the same verdict on its
own requirement, the one that it is made to break. What else a mutant breaks depends on
where a write or a reconnect happens to fall, also from one live run to the next: it is
told and does not count. Nor does a difference in a live case whose harness was late:
its pings came late, so connections ended that no scenario meant to end. It is told
as well, and more than a few of them are no comparison. A scenario that is not
applicable on one of the arms leaves no history there: it has to be listed, too.
"""

import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import click

from harness.commands.judge import judged
from harness.core.codec import load
from harness.core.errors import BadInput
from harness.core.history import Header, Lag
from harness.judged import HISTORIES, failed_of
from harness.options import read_mutants
from tests.parity.differences import ONE_ARM, VERDICTS, Difference

Pair = tuple[str, str]
"""A scenario, and the mutant that it ran against, "" for the clean server."""

LATE_S = 0.25
"""Half the time that the reference's clients have for a ping after its interval."""

MOST_LATE = 5
"""So many late cases may be set aside."""

SAME, DIFFERENT, NO_COMPARISON = 0, 1, 3
"""Exit statuses."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What one arm says of a pair; `late_s` is the worst lag of its harness."""

    outcome: str
    broken: frozenset[str] = frozenset()
    late_s: float = 0.0

    def says(self, own: str) -> str:
        """The part that has to agree; `own` is "" for the clean server."""
        kept = self.broken & {own} if own else self.broken
        return f"{self.outcome} ({', '.join(sorted(kept)) or 'nothing broken'})"


NOT_RUN = Verdict(outcome="no history")


@dataclass(slots=True)
class Compared:
    """Pairs that differ, with what differs; `wrong` is what the list says wrongly.

    `alone` are those of a scenario that is listed to have no history on one arm.
    """

    differ: dict[Pair, str] = field(default_factory=dict)
    late: dict[Pair, str] = field(default_factory=dict)
    beyond: dict[Pair, str] = field(default_factory=dict)
    wrong: dict[Pair, str] = field(default_factory=dict)
    alone: list[Pair] = field(default_factory=list)

    @property
    def status(self) -> int:
        """The exit status."""
        if self.differ or self.wrong:
            return DIFFERENT
        return NO_COMPARISON if len(self.late) > MOST_LATE else SAME


def compared(
    live: Mapping[Pair, Verdict],
    sim: Mapping[Pair, Verdict],
    own: Mapping[str, str],
    listed: Mapping[Pair, Difference] = VERDICTS,
) -> Compared:
    """Every pair of either arm; `own` gives each mutant's requirement.

    Of a mutant that did not run at all, as in a sample, nothing that is listed counts.
    """
    found = Compared()
    ran = {mutant for _, mutant in (*live, *sim)}
    for pair in sorted({*live, *sim, *(one for one in listed if one[1] in ran)}):
        if pair[0].startswith(tuple(ONE_ARM)):
            _place_alone(found, pair, pair in live and pair in sim)
            continue
        one, other = live.get(pair, NOT_RUN), sim.get(pair, NOT_RUN)
        shows = _difference(one, other, own.get(pair[1], ""))
        expected = listed[pair].shows if pair in listed else ""
        if shows != expected:
            _place(found, pair, shows, expected, late=one.late_s >= LATE_S)
        elif one.broken != other.broken and not shows:
            found.beyond[pair] = _beyond(one, other)
    return found


def _place_alone(found: Compared, pair: Pair, on_both: bool) -> None:
    if on_both:
        found.wrong[pair] = "it is on both arms; listed is: of one arm only"
    else:
        found.alone.append(pair)


def _difference(live: Verdict, sim: Verdict, own: str) -> str:
    one, other = live.says(own), sim.says(own)
    return "" if one == other else f"live {one}, sim {other}"


def _place(
    found: Compared, pair: Pair, shows: str, expected: str, *, late: bool
) -> None:
    if late:
        found.late[pair] = shows or "nothing, but a difference is listed"
    elif expected:
        found.wrong[pair] = f"{shows or 'no difference'}; listed is: {expected}"
    else:
        found.differ[pair] = shows


def _beyond(live: Verdict, sim: Verdict) -> str:
    sides = (
        (arm, ", ".join(sorted(more)))
        for arm, more in (
            ("live", live.broken - sim.broken),
            ("sim", sim.broken - live.broken),
        )
    )
    return "; ".join(f"{arm} {more}" for arm, more in sides if more)


# ---- from the folders ----------------------------------------------------------------


def verdicts_of(out: Path, arm: str) -> dict[Pair, Verdict]:
    """Judge a run's histories; raises `BadInput` when they are of another arm."""
    verdicts: dict[Pair, Verdict] = {}
    for path in sorted((out / HISTORIES).glob("*.jsonl")):
        history = load(path)
        _check_arm(history.header, arm, path)
        case = judged(path, history)
        lags = (one.lag_s for one in history.records if isinstance(one, Lag))
        verdicts[case.scenario, case.mutant] = Verdict(
            outcome=str(case.outcome),
            broken=frozenset(failed_of(case)),
            late_s=max(lags, default=0.0),
        )
    if not verdicts:
        raise BadInput(f"{out}: no histories; `unbroken mutants --all` leaves some")
    return verdicts


def _check_arm(header: Header, arm: str, path: Path) -> None:
    if header.arm != arm:
        raise BadInput(f"{path}: is of the {header.arm} arm, not of the {arm} one")


def requirements_of(*outs: Path) -> dict[str, str]:
    """Each mutant's own requirement, as the runs were told."""
    files = [out / "mutants.ndjson" for out in outs]
    return {
        one.name: one.requirement
        for file in files
        if file.exists()
        for one in read_mutants(file.read_bytes(), name=str(file))
    }


# ---- the command ---------------------------------------------------------------------


@click.command()
@click.argument("live", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.argument("sim", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("-v", "--verbose", is_flag=True, help="Tell what does not count, too.")
def main(live: Path, sim: Path, verbose: bool) -> None:
    """Compare the verdicts of two `unbroken mutants --all`, live and simulated."""
    try:
        verdicts = verdicts_of(live, "live"), verdicts_of(sim, "sim")
    except BadInput as error:
        raise click.UsageError(str(error)) from error
    found = compared(*verdicts, requirements_of(live, sim))
    for line in _told(found, verbose=verbose):
        click.echo(line)
    pairs = {*verdicts[0], *verdicts[1]}
    click.echo(_summary(found, len(pairs), len({mutant for _, mutant in pairs})))
    sys.exit(found.status)


def _told(found: Compared, *, verbose: bool) -> Iterator[str]:
    kinds = {"differs": found.differ, "listed wrongly": found.wrong}
    kinds["set aside, the live arm was late"] = found.late
    if verbose:
        kinds["agrees, and beyond its own requirement breaks"] = found.beyond
    for kind, pairs in kinds.items():
        for (scenario, mutant), text in pairs.items():
            yield f"{scenario} against {mutant or 'the clean server'}: {kind}: {text}"


def _summary(found: Compared, pairs: int, servers: int) -> str:
    return (
        f"{pairs} cases of {servers} servers on both arms: {len(found.differ)} differ, "
        f"{len(found.wrong)} listed wrongly, {len(found.late)} set aside, "
        f"{len(found.beyond)} agree and break different ones beyond their own, "
        f"{len(found.alone)} are of one arm only"
    )


if __name__ == "__main__":
    main()
