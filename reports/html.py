"""The HTML page of a run: one file that shows everything and fetches nothing.

What a target sent is hostile until proven otherwise: templates escape everything,
acting characters are written out, and the page's own policy forbids any script but
the one whose hash it names.
"""

import base64
import hashlib
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from harness.core.errors import HarnessError
from harness.core.history import History
from harness.core.verdict import Verdict
from reports.closing import by_area
from reports.evidence import Allowance, Section, allowances, section_of
from reports.fold import case_says
from reports.inert import inert, pieces
from reports.result import CaseResult, Outcome, RequirementResult, RunResult
from reports.rows import Gap

FOLD = 320
"""Longer texts are folded behind their first characters."""

ORDER = (
    Outcome.FAILED,
    Outcome.COULD_NOT_RUN,
    Outcome.WARNING,
    Outcome.PASSED,
    Outcome.NOT_APPLICABLE,
)

LoadHistory = Callable[[CaseResult], History | None]


def render(result: RunResult, load_history: LoadHistory) -> str:
    """The whole page; a history that cannot be read is said so in its section."""
    shares = allowances(result.cases)
    sections = [
        _section(case, place, load_history, shares[case.outcome])
        for place, case in enumerate(result.cases, 1)
    ]
    sections.sort(key=lambda one: ORDER.index(one.case.outcome))
    environment = _environment()
    script = _source(environment, "page.js")
    page = environment.get_template("page.html.j2").render(
        result=result,
        sections=sections,
        marked_with=_marked_with(sections),
        finding_anchors=_finding_anchors(sections),
        areas=by_area(result.requirements),
        counts=_counts(result.cases),
        style=Markup(_source(environment, "page.css")),
        script=Markup(script),
        script_hash=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
    )
    return page.encode("utf-8", "backslashreplace").decode("utf-8")


class Purse:
    """Characters that a section may still show; a spent purse shows beginnings."""

    def __init__(self, characters: int) -> None:
        self._left = characters

    def take(self, text: str) -> str:
        """As much of the text as there is room for, never less than its beginning."""
        room = max(FOLD // 2, self._left)
        shown = text[:room]
        self._left -= len(shown)
        return shown


def shown(text: object) -> Markup:
    """Text escaped, its acting characters written out and marked as such."""
    parts = [
        Markup("<b class=x>{}</b>").format(piece) if acting else escape(piece)
        for acting, piece in pieces(str(text))
    ]
    return Markup("").join(parts)


def on_wire(text: str) -> Markup:
    """Text of the wire for a <pre>: the same, with each line's end visible.

    Blank lines at the end become signs only, so that a frame takes no empty rows.
    """
    body = text.rstrip("\n")
    ends = Markup("<i></i>") * (len(text) - len(body))
    lines = shown(body).replace("\n", Markup("<i></i>\n"))
    return lines.replace("&#34;", Markup('"')) + ends


def _section(
    case: CaseResult, place: int, load_history: LoadHistory, share: Allowance
) -> Section:
    history, trouble = None, ""
    try:
        history = load_history(case)
    except (HarnessError, OSError) as error:
        trouble = f"the history could not be read: {error}"
    if history is None and case.history and not trouble:
        trouble = f"the history could not be read: {case.history}"
    return section_of(case, place, history, share, trouble=trouble)


def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("reports", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "shown": shown,
        "on_wire": on_wire,
        "breakable": lambda text: text.replace("_", Markup("_<wbr>")),
        "markup": Markup,
        "slug": lambda outcome: str(outcome).replace(" ", "-"),
        "inert": inert,
    }
    environment.globals |= {"fold": FOLD, "purse": Purse}
    environment.tests["gap"] = lambda row: isinstance(row, Gap)
    return environment


def _source(environment: Environment, name: str) -> str:
    loader = environment.loader
    if loader is None:
        raise HarnessError(f"no loader for {name}")
    return loader.get_source(environment, name)[0]


def _marked_with(
    sections: Sequence[Section],
) -> Callable[[RequirementResult], list[tuple[str, Section]]]:
    """Gives what each case marked with a requirement said of it, worst first."""
    worst = [Verdict.FAIL, Verdict.UNKNOWN, Verdict.PASS, None]

    def marked(row: RequirementResult) -> list[tuple[str, Section]]:
        told = [
            (case_says(row.id, one.case), one)
            for one in sections
            if row.id in one.case.requirements
        ]
        told.sort(key=lambda pair: worst.index(pair[0]))
        return [(said.value if said else "soft", one) for said, one in told]

    return marked


def _finding_anchors(sections: Iterable[Section]) -> dict[str, list[tuple[Any, str]]]:
    """Shown findings of each requirement, broken ones first, with their anchors."""
    found: dict[str, list[tuple[Any, str]]] = {}
    for section in sections:
        for told in section.told:
            if told.broken or told.finding.requirement in section.case.requirements:
                found.setdefault(told.finding.requirement, []).append(
                    (told, section.name)
                )
    for members in found.values():
        members.sort(key=lambda pair: not pair[0].broken)
    return found


def _counts(cases: Sequence[CaseResult]) -> list[tuple[Outcome, int]]:
    counts = Counter(case.outcome for case in cases)
    return [(one, counts[one]) for one in ORDER if counts[one]]
