"""A history as one picture: who was connected when, what came, what was broken.

Pure: History -> SVG text. Marks that fall on one spot are drawn once and counted in
the tooltip, so the picture stays small for any number of events.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from harness.core.history import History, Life
from harness.core.verdict import Finding, Sighting
from reports import svg
from reports.lanes import (
    Band,
    Connection,
    band_height,
    connections_of,
    has_server,
    lanes_of,
    scale_for,
)
from reports.scale import WIDTH, Quiet, Scale
from reports.timeline_events import (
    fault_marks,
    fault_rows,
    faults_of,
    server_marks,
    write_marks,
)
from reports.timeline_streams import rows_of, stream_marks

_TOP = 22.0
_MOST_FINDINGS = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """The scale and the band of each lane; clients may share names with ours."""

    scale: Scale
    lanes: Mapping[str, Sequence[Connection]]
    clients: Mapping[str, Band]
    faults: Band | None
    server: Band | None
    requests: Band
    height: float


def timeline(
    history: History,
    findings: Iterable[Finding] = (),
    *,
    prefix: str = "t",
    marks: int = 1_500,
) -> str:
    """The picture as SVG text; `prefix` keeps its ids apart from other pictures'.

    `marks` bounds how many event marks are drawn. The mark of record n that a
    finding cites has the id "PREFIX-tN".
    """
    plan = _plan(history)
    parts = [
        svg.title(f"timeline of {history.header.scenario}"),
        _hatch(prefix),
        *_frame_of_lanes(plan),
        *_axis(plan),
        *fault_marks(history, plan, prefix),
        *server_marks(history, plan),
        *stream_marks(plan.lanes, plan.clients, scale=plan.scale, marks=marks),
        *write_marks(history, plan, marks),
        *_finding_marks(history, plan, findings, prefix),
    ]
    size = f"0 0 {svg.number(WIDTH)} {svg.number(plan.height)}"
    return svg.element(
        "svg",
        *parts,
        xmlns="http://www.w3.org/2000/svg",
        viewBox=size,
        cls="timeline",
        role="img",
    )


def _plan(history: History) -> Layout:
    scale = scale_for(history)
    lanes = lanes_of(connections_of(history, scale.span_s))
    height = band_height(len(lanes))
    y = _TOP
    rows = fault_rows(faults_of(history, scale.span_s), scale)
    faults = Band("faults", y, y + 15.0 * rows) if rows else None
    y = faults.bottom + 4 if faults else y
    server = Band("server", y, y + 22) if has_server(history) else None
    y = server.bottom if server else y
    clients: dict[str, Band] = {}
    for who, members in lanes.items():
        deep = 1 + max((one.row for one in members), default=0)
        clients[who] = Band(who, y, y + height * deep)
        y = clients[who].bottom
    requests = Band("requests", y, y + 24)
    return Layout(
        scale=scale,
        lanes=lanes,
        clients=clients,
        faults=faults,
        server=server,
        requests=requests,
        height=requests.bottom + 22,
    )


def _hatch(prefix: str) -> str:
    line = svg.element("path", d="M0 6L6 0", cls="hatch")
    pattern = svg.element(
        "pattern",
        line,
        id=f"{prefix}-hatch",
        width=6,
        height=6,
        patternUnits="userSpaceOnUse",
    )
    return svg.element("defs", pattern)


def _frame_of_lanes(plan: Layout) -> Iterable[str]:
    bands = [plan.faults, plan.server, *plan.clients.values(), plan.requests]
    for place, band in enumerate(one for one in bands if one is not None):
        yield svg.element(
            "rect",
            cls="lane odd" if place % 2 else "lane",
            x=0,
            y=band.top,
            width=WIDTH,
            height=band.bottom - band.top,
        )
        label = band.name if len(band.name) <= 16 else f"{band.name[:15]}…"
        middle = (band.top + band.bottom) / 2 + 4
        yield svg.element(
            "g", svg.title(band.name), svg.text(label, 6.0, middle, cls="name")
        )


def _axis(plan: Layout) -> Iterable[str]:
    bottom = plan.requests.bottom
    for quiet in plan.scale.quiet:
        yield _break(plan, quiet)
    for at, label in plan.scale.ticks():
        x = plan.scale.x(at)
        path = f"M{svg.number(x)} {svg.number(_TOP - 4)}V{svg.number(bottom)}"
        yield svg.element("path", cls="grid", d=path)
        for y in (_TOP - 8, bottom + 14):
            yield svg.text(label, x, y, cls="tick")


def _break(plan: Layout, quiet: Quiet) -> str:
    """A stretch that is drawn short: said with its true length."""
    x, until = plan.scale.x(quiet.from_s), plan.scale.x(quiet.until_s)
    seconds = quiet.until_s - quiet.from_s
    waves = "l2-4 2 4" * int(max(1.0, (until - x) / 4))
    label = f"{seconds:.1f} s" if seconds >= 1 else f"{seconds * 1_000:.0f} ms"
    top, bottom = _TOP - 8, plan.requests.bottom
    return svg.element(
        "g",
        svg.title(f"{seconds:.2f} s without events, drawn short"),
        svg.element("rect", x=x, y=top, width=until - x, height=bottom - top),
        svg.element("path", d=f"M{svg.number(x)} {svg.number(_TOP - 2)}{waves}"),
        svg.text(label, (x + until) / 2, bottom + 14),
        cls="quiet",
    )


def _finding_marks(
    history: History, plan: Layout, findings: Iterable[Finding], prefix: str
) -> Iterable[str]:
    """One mark for each record that a finding cites, above everything else."""
    told: dict[int, list[Finding]] = {}
    for finding in findings:
        for n in finding.ops:
            if 1 <= n <= len(history.records):
                told.setdefault(n, []).append(finding)
    bands = _bands_of_records(plan)
    for n in sorted(told)[:_MOST_FINDINGS]:
        record = history.records[n - 1]
        top = bands.get(getattr(record, "conn", 0), plan.requests.top)
        if isinstance(record, Life) and plan.server:
            top = plan.server.top
        yield _finding_mark(told[n], plan.scale.x(record.t_s), top, f"{prefix}-t{n}")


def _finding_mark(
    findings: Sequence[Finding], x: float, top: float, anchor: str
) -> str:
    broken = any(one.sighting is Sighting.BROKEN for one in findings)
    first = findings[0]
    more = f" (+{len(findings) - 1} more)" if len(findings) > 1 else ""
    path = f"M{svg.number(x - 7.5)} {svg.number(top - 7)}h15l-7.5 14z"
    return svg.element(
        "g",
        svg.title(f"{first.requirement}: {first.sentence}{more}"),
        svg.element("path", d=path),
        svg.text("!" if broken else "?", x, top + 2.5, cls="bang"),
        id=anchor,
        cls="finding" if broken else "finding unclear",
    )


def _bands_of_records(plan: Layout) -> dict[int, float]:
    """Top of the bar of each connection."""
    return {
        one.conn: rows[one.row][0]
        for who, members in plan.lanes.items()
        for rows in [rows_of(plan.clients[who], members)]
        for one in members
    }
