"""Folding sightings into verdicts, and faults in plain words."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.core import fault
from harness.core.fault import Aim, Close, Fault, FaultKind, When
from harness.core.verdict import Finding, Sighting, Verdict, judge_findings

FINDINGS = st.lists(
    st.builds(
        Finding,
        requirement=st.just("converge"),
        sighting=st.sampled_from(Sighting),
        ops=st.lists(st.integers(1, 99), max_size=3).map(tuple),
        sentence=st.text(max_size=5),
    ),
    max_size=6,
)


@settings(max_examples=40, deadline=None)
@given(FINDINGS)
def test_broken_beats_unclear_beats_held(findings: list[Finding]) -> None:
    judgement = judge_findings("converge", iter(findings))
    seen = {finding.sighting for finding in findings}
    if Sighting.BROKEN in seen:
        assert judgement.verdict is Verdict.FAIL
    elif Sighting.UNCLEAR in seen or not seen:
        assert judgement.verdict is Verdict.UNKNOWN
    else:
        assert judgement.verdict is Verdict.PASS
    assert judgement.exercised == len(findings)
    assert judgement.findings == tuple(
        finding for finding in findings if finding.sighting is not Sighting.HELD
    )


@settings(max_examples=40, deadline=None)
@given(FINDINGS, st.randoms(use_true_random=False))
def test_order_makes_no_verdict(findings: list[Finding], random: object) -> None:
    verdict = judge_findings("converge", findings).verdict
    assert judge_findings("converge", findings[::-1]).verdict is verdict
    random.shuffle(findings)  # type: ignore[attr-defined]  # hypothesis's Random
    assert judge_findings("converge", findings).verdict is verdict


class Named:
    def __init__(self, name: str) -> None:
        self.name = name


ALICE, BOB = Named("alice"), Named("bob")


@pytest.mark.parametrize(
    ("made", "says"),
    [
        (fault.cut(ALICE), "cut of alice"),
        (fault.cut(ALICE, BOB), "cut of alice, bob"),
        (
            fault.cut(ALICE, close=Close.RST, after_bytes=12),
            "cut of alice (close rst, after bytes 12)",
        ),
        (
            fault.cut(ALICE, when=When.NEXT, aim=Aim.ID_LINE),
            "cut of alice (when next connection, aim inside the id line)",
        ),
        (fault.latency(ALICE, delay_ms=300), "latency of alice (delay ms 300)"),
        (
            fault.bandwidth(ALICE, kilobytes_per_s=4),
            "bandwidth of alice (kilobytes per s 4)",
        ),
        (fault.slices(ALICE, slice_bytes=1), "slice of alice (slice bytes 1)"),
        (fault.stall(ALICE), "stall of alice"),
        (fault.black_hole(ALICE), "black-hole of alice"),
        (fault.refuse(ALICE), "refuse of alice"),
        (fault.lost_acknowledgement(ALICE), "lost-acknowledgement of alice"),
        (fault.slow_close(ALICE, delay_ms=5), "slow-close of alice (delay ms 5)"),
        (fault.partition(ALICE, BOB), "partition of alice, bob"),
        (Fault(kind=FaultKind.KILL), "kill"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_fault_says_what_it_does(made: Fault, says: str) -> None:
    assert made.says() == says
