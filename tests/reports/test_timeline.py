"""The picture: valid XML, every lane there, small and quick for any history."""

import time
from xml.etree import ElementTree as ET

import pytest

from harness.core import fault
from harness.core.history import CloseKind, F, History, Info, Invoke, LifePhase
from reports.scale import scale_of
from reports.timeline import timeline
from tests.reports import sample
from tests.reports.sample import Builder

SVG = "{http://www.w3.org/2000/svg}"


def titles(root: ET.Element) -> list[str]:
    return [one.text or "" for one in root.iter(f"{SVG}title")]


def by_class(root: ET.Element, name: str) -> list[ET.Element]:
    return [one for one in root.iter() if name in (one.get("class") or "").split()]


def test_lanes_faults_lives_and_findings_are_there() -> None:
    history, lost = sample.cut_and_resumed(clients=3)
    finding = sample.broken("event/no-loss", lost).findings[0]
    root = ET.fromstring(timeline(history, [finding], prefix="case-1"))
    names = [one.text for one in by_class(root, "name")]
    assert names == ["faults", "server", "witness", "client-1", "client-2", "requests"]
    assert [one.get("id") for one in by_class(root, "finding")] == [f"case-1-t{lost}"]
    told = titles(root)
    assert any("cut of client-2 (close rst)" in one for one in told)
    assert any("opened at" in one and "Last-Event-ID '3f-5'" in one for one in told)
    assert len(by_class(root, "reset")) == 3
    assert len(by_class(root, "rst")) == 1
    assert any("life 1 ending by kill" in one for one in told)


def test_a_fault_shades_its_victims_lane_only() -> None:
    history, _ = sample.cut_and_resumed(clients=4)
    root = ET.fromstring(timeline(history))
    (shade,) = by_class(root, "fault")
    lane = next(
        rect
        for rect, name in zip(
            by_class(root, "lane"), by_class(root, "name"), strict=True
        )
        if name.text == "client-3"
    )
    assert shade.get("y") == lane.get("y")


def test_a_fault_without_effect_says_so() -> None:
    build = Builder()
    build.life(0.0, LifePhase.STARTED)
    build.put(
        Invoke,
        1.0,
        who="nemesis",
        f=F.FAULT,
        fault=fault.Fault(kind=fault.FaultKind.KILL),
    )
    build.put(Info, 2.0, call=2, error="no effect was observed")
    root = ET.fromstring(timeline(build.history()))
    assert any("no effect was observed" in one for one in titles(root))
    assert by_class(root, "missed")


def test_overlapping_connections_get_rows_of_their_own() -> None:
    build = Builder()
    first = build.open(0.0, "alice")
    second = build.open(0.5, "alice")
    build.close(1.0, first, CloseKind.CLIENT)
    build.close(2.0, second, CloseKind.TIMEOUT)
    root = ET.fromstring(timeline(build.history()))
    assert len({one.get("y") for one in by_class(root, "bar")}) == 2


@pytest.mark.parametrize("span_s", [0.0, 0.000_1, 0.1, 1.0, 7.3, 60.0, 3_600.0])
def test_time_axis_has_sensible_ticks(span_s: float) -> None:
    ticks = scale_of([], span_s).ticks()
    labels = [label for _, label in ticks]
    assert 4 <= len(ticks) <= 12
    assert len(set(labels)) == len(labels)
    assert max(len(label) for label in labels) <= 8


def test_quiet_time_is_drawn_short_and_the_line_only_rises() -> None:
    busy = [1 + one / 50 for one in range(50)] + [40 + one / 50 for one in range(50)]
    scale = scale_of(busy, 60.0)
    assert len(scale.quiet) == 2
    assert scale.x(2.0) - scale.x(1.0) > 60
    places = [scale.x(one / 10) for one in range(-10, 700)]
    assert places == sorted(places)
    assert (min(places), max(places)) == (scale.x(0.0), scale.x(60.0))
    assert not any(
        q.from_s < at < q.until_s for q in scale.quiet for at, _ in scale.ticks()
    )


def test_even_activity_is_drawn_to_scale() -> None:
    assert scale_of([one * 5.0 for one in range(12)], 60.0).quiet == ()
    assert scale_of([], 60.0).quiet == ()


def test_an_empty_history_has_a_picture() -> None:
    history = History(header=sample.header("s"), records=())
    ET.fromstring(timeline(history))


def test_hostile_names_and_texts_are_inert() -> None:
    result, history = sample.hostile()
    found = [one for case in result.cases for one in case.judgements[0].findings]
    drawn = timeline(history, found)
    ET.fromstring(drawn)
    assert "<script" not in drawn
    assert "\x1b" not in drawn
    assert "\u202e" not in drawn


def test_many_events_stay_small_and_quick() -> None:
    sizes, times = [], []
    for events in (200, 800):
        history, _ = sample.cut_and_resumed(clients=30, events=events, span_s=60)
        began = time.process_time()
        sizes.append(len(timeline(history, marks=1_000)))
        times.append(time.process_time() - began)
    assert max(sizes) < 400_000
    assert times[1] < times[0] * 12 + 0.2
