"""Verdicts and findings: what judging a history yields."""

from collections.abc import Iterable
from enum import StrEnum

import msgspec


class Verdict(StrEnum):
    """FAIL beats UNKNOWN beats PASS; an unknown is never shown as passed."""

    PASS = "pass"
    UNKNOWN = "unknown"
    FAIL = "fail"


class Sighting(StrEnum):
    """What one look at one place of a history said about one requirement."""

    HELD = "held"
    UNCLEAR = "unclear"
    BROKEN = "broken"


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """One place where a requirement was exercised, with the ops that prove it.

    `ops` are indices of history records; `sentence` is plain English with the values
    ("event 3f-17, acknowledged at 2.41 s, was never delivered to client b"). It is
    empty for `held`.
    """

    requirement: str
    sighting: Sighting
    ops: tuple[int, ...] = ()
    sentence: str = ""


class Judgement(msgspec.Struct, frozen=True, kw_only=True):
    """The verdict of one history on one requirement.

    `exercised` counts the places that were looked at; `findings` holds the broken
    and unclear ones.
    """

    requirement: str
    verdict: Verdict
    exercised: int
    findings: tuple[Finding, ...] = ()


def judge_findings(requirement: str, findings: Iterable[Finding]) -> Judgement:
    """Fold sightings: broken -> FAIL; unclear or nothing seen -> UNKNOWN."""
    seen = list(findings)
    kept = tuple(one for one in seen if one.sighting is not Sighting.HELD)
    if any(one.sighting is Sighting.BROKEN for one in kept):
        verdict = Verdict.FAIL
    elif kept or not seen:
        verdict = Verdict.UNKNOWN
    else:
        verdict = Verdict.PASS
    return Judgement(
        requirement=requirement,
        verdict=verdict,
        exercised=len(seen),
        findings=kept,
    )


class CaseJudgement(msgspec.Struct, frozen=True, kw_only=True):
    """What one history says: a judgement for each requirement exercised or marked.

    `could_not_run` holds the reasons why the case as a whole says less than it was
    made to say: a fault without effect, a wait that ended unmet, a torn history, a
    checker that crashed. With such a reason nothing passes; what is broken stays
    broken.
    """

    scenario: str
    judgements: tuple[Judgement, ...]
    could_not_run: tuple[str, ...] = ()
