"""Runs every rule over a history and folds what they saw into judgements."""

from collections.abc import Iterable, Iterator, Sequence

from harness.checkers import (
    converge,
    delivery,
    durable,
    gapless,
    herd,
    idle_proxy,
    isolation,
    leak,
    page_size,
    pages,
    ping,
    rate,
    record,
    refusals,
    reset,
    resume,
    slow,
    snapshot,
    stream,
    tabs,
    truth,
    uid,
    writes,
)
from harness.checkers.case import Case
from harness.checkers.channels import split
from harness.checkers.kinds import Kinds
from harness.checkers.look import RULES, Look, Rule
from harness.core.history import (
    End,
    F,
    History,
    Invoke,
    Note,
    Ok,
)
from harness.core.verdict import (
    CaseJudgement,
    Finding,
    Judgement,
    Sighting,
    judge_findings,
)

FAMILIES = (
    stream,
    idle_proxy,
    ping,
    delivery,
    truth,
    resume,
    reset,
    snapshot,
    gapless,
    pages,
    page_size,
    writes,
    rate,
    refusals,
    durable,
    uid,
    isolation,
    record,
    tabs,
    slow,
    herd,
    leak,
    converge,
)
KEPT = 20
"""So many broken or unclear findings a requirement keeps; one cause has many."""


def judge(history: History) -> CaseJudgement:
    """What one history says; a judgement for each requirement exercised or marked."""
    reasons = list(_reasons(history))
    try:
        channels = [Case(one, uid=uid) for uid, one in split(history).items()]
    except Exception as error:
        crash = _crash(error)
        reasons.append(f"the history could not be indexed: {crash}")
        judgements = [
            judge_findings(slug, [_crashed(slug, crash)])
            for slug in history.header.requirements
        ]
        return _case(history, judgements, reasons)
    marked = set(history.header.requirements)
    judgements = []
    for slug, rule in RULES.items():
        if history.header.profile not in rule.profiles:
            continue
        judgement = _apply(slug, rule, channels, reasons)
        if judgement.exercised or slug in marked:
            judgements.append(judgement)
    told = {judgement.requirement for judgement in judgements}
    missing = [slug for slug in history.header.requirements if slug not in told]
    judgements += [judge_findings(slug, ()) for slug in dict.fromkeys(missing)]
    return _case(history, judgements, reasons)


def _case(
    history: History, judgements: list[Judgement], reasons: list[str]
) -> CaseJudgement:
    return CaseJudgement(
        scenario=history.header.scenario,
        judgements=tuple(judgements),
        could_not_run=tuple(reasons),
    )


def _apply(
    slug: str, rule: Rule, channels: Sequence[Case], reasons: list[str]
) -> Judgement:
    findings: list[Finding] = []
    try:
        meant = slug in channels[0].header.requirements
        findings.extend(_findings(slug, rule.look(channels), meant))
    except Exception as error:
        crash = _crash(error)
        reasons.append(f"the checker of {slug} crashed: {crash}")
        findings.append(_crashed(slug, crash))
    return judge_findings(slug, findings)


def _findings(slug: str, looks: Iterable[Look], meant: bool) -> Iterator[Finding]:
    """Findings of one rule, broken and unclear ones each up to the cap.

    A place that is unclear says nothing about a requirement that the scenario was not
    made for.
    """
    held = Finding(requirement=slug, sighting=Sighting.HELD)
    told = {Sighting.BROKEN: 0, Sighting.UNCLEAR: 0}
    for look in looks:
        if look.sighting is Sighting.HELD:
            yield held
            continue
        if look.sighting is Sighting.UNCLEAR and not meant:
            continue
        told[look.sighting] += 1
        if told[look.sighting] <= KEPT:
            yield Finding(
                requirement=slug,
                sighting=look.sighting,
                ops=look.ops,
                sentence=look.sentence,
            )


def _crash(error: Exception) -> str:
    return f"{type(error).__name__}: {str(error)[:200]}"


def _crashed(slug: str, crash: str) -> Finding:
    sentence = f"the checker crashed ({crash}); nothing can be said"
    return Finding(requirement=slug, sighting=Sighting.UNCLEAR, sentence=sentence)


def _reasons(history: History) -> Iterator[str]:
    """Why the case as a whole says less than it was made to say."""
    if history.torn:
        yield "the history is torn: it has no end record or its last line is cut"
    kinds = Kinds(history)
    for end in kinds.of(End):
        if not end.complete:
            yield f"the case was broken off: {end.reason or 'no reason given'}"
    for note in kinds.of(Note):
        yield f"at {note.t_s:.2f} s: {note.text}"
    shown = {record.call for record in kinds.of(Ok)}
    for invoke in kinds.of(Invoke):
        if invoke.f is F.FAULT and invoke.n not in shown:
            says = invoke.fault.says() if invoke.fault else "a fault"
            yield f"{says} at {invoke.t_s:.2f} s had no observed effect"
