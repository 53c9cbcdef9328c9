"""One case as the page shows it: findings with links, picture, logs, all bounded."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from harness.core.history import History
from harness.core.verdict import Finding, Sighting
from reports.closing import broken_of
from reports.records import link_text, owners, record_at
from reports.result import CaseResult, Outcome
from reports.rows import Row
from reports.timeline import timeline
from reports.wirelog import Log, left_out, operation_log, wire_logs

MOST_FINDINGS = 40
_MOST_LINKS = 6
_QUIET = (Outcome.PASSED, Outcome.NOT_APPLICABLE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Allowance:
    """How much of a page one case may take: rows of logs, marks, characters."""

    lines: int
    marks: int
    characters: int


GENEROUS = Allowance(lines=600, marks=1_500, characters=150_000)
SPARING = Allowance(lines=40, marks=250, characters=12_000)


@dataclass(frozen=True, slots=True)
class Link:
    """A record that a finding cites; `anchor` is "" when the page has no such row."""

    anchor: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """A finding with the links to what proves it."""

    anchor: str
    finding: Finding
    links: tuple[Link, ...]
    more: int
    mark: str

    @property
    def broken(self) -> bool:
        """Broken, as opposed to unclear."""
        return self.finding.sighting is Sighting.BROKEN


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """Everything that the template needs of one case."""

    anchor: str
    case: CaseResult
    told: tuple[Told, ...]
    more: int
    picture: str
    logs: tuple[Log, ...]
    left_out: int
    trouble: str
    characters: int

    @property
    def name(self) -> str:
        """The scenario without its file, for links."""
        return self.case.scenario.rsplit("::", 1)[-1]

    @property
    def loud(self) -> bool:
        """Whether this case needs a reader: it is open, and gets most room."""
        return self.case.outcome not in _QUIET


def allowances(cases: Sequence[CaseResult]) -> dict[Outcome, Allowance]:
    """Shares of a page that stays small for any number of cases.

    Failed cases come first: they get most, and less each when many failed.
    """
    loud = sum(case.outcome not in _QUIET for case in cases)
    ample = _part(GENEROUS, 8 / max(8, loud))
    spare = _part(SPARING, 60 / max(60, len(cases)))
    return {one: spare if one in _QUIET else ample for one in Outcome}


def section_of(
    case: CaseResult,
    place: int,
    history: History | None,
    allowance: Allowance,
    *,
    trouble: str = "",
) -> Section:
    """A case and, when its history is at hand, the proof."""
    anchor = f"case-{place}"
    findings = findings_of(case)
    shown = findings[:MOST_FINDINGS]
    picture = ""
    logs: tuple[Log, ...] = ()
    if history is not None:
        picture, logs = _proof(history, shown, anchor, allowance)
    return Section(
        anchor=anchor,
        case=case,
        told=_told(shown, history, anchor, _rows_of(logs)),
        more=len(findings) - len(shown),
        picture=picture,
        logs=logs,
        left_out=left_out(logs),
        trouble=trouble,
        characters=allowance.characters,
    )


def findings_of(case: CaseResult) -> list[Finding]:
    """Broken ones, each requirement's first in front, then unclear ones."""
    unclear = [
        finding
        for judgement in case.judgements
        for finding in judgement.findings
        if finding.sighting is not Sighting.BROKEN
    ]
    return broken_of(case) + unclear


def _proof(
    history: History, findings: Sequence[Finding], anchor: str, allowance: Allowance
) -> tuple[str, tuple[Log, ...]]:
    cited = {n for finding in findings for n in finding.ops}
    lines = allowance.lines
    logs = wire_logs(history, cited, lines=lines * 2 // 3)
    operations = operation_log(history, cited, lines=lines // 3)
    picture = timeline(history, findings, prefix=anchor, marks=allowance.marks)
    return picture, (*logs, operations)


def _told(
    findings: Sequence[Finding],
    history: History | None,
    anchor: str,
    rows: Collection[int],
) -> tuple[Told, ...]:
    who = owners(history) if history else {}
    told = []
    for place, finding in enumerate(findings):
        links = [
            _link(n, history, who, anchor, rows) for n in finding.ops[:_MOST_LINKS]
        ]
        marked = [link for link in links if history and link.anchor]
        first = finding.ops[0] if marked and finding.ops else 0
        told.append(
            Told(
                anchor=f"{anchor}-f{place}",
                finding=finding,
                links=tuple(links),
                more=max(0, len(finding.ops) - _MOST_LINKS),
                mark=f"{anchor}-t{first}" if first else "",
            )
        )
    return tuple(told)


def _link(
    n: int,
    history: History | None,
    who: dict[int, str],
    anchor: str,
    rows: Collection[int],
) -> Link:
    record = record_at(history, n) if history else None
    if history is None or record is None:
        return Link("", f"record {n}")
    target = f"{anchor}-n{n}" if n in rows else ""
    return Link(target, link_text(record, history, who))


def _rows_of(logs: Sequence[Log]) -> set[int]:
    return {row.n for log in logs for row in log.rows if isinstance(row, Row)}


def _part(whole: Allowance, share: float) -> Allowance:
    return Allowance(
        lines=max(20, int(whole.lines * share)),
        marks=max(120, int(whole.marks * share)),
        characters=max(4_000, int(whole.characters * share)),
    )
