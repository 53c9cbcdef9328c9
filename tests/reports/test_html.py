"""The page: one file that fetches nothing, hides nothing and obeys nobody."""

import re
from html.parser import HTMLParser

from harness.core.errors import BadInput
from harness.core.history import History
from reports.html import render
from reports.result import CaseResult
from tests.reports import sample

VOID = {"wbr", "meta", "br", "link", "img", "input", "hr"}


class Page(HTMLParser):
    """Collects ids, links and tags, and checks that elements nest."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.ids: list[str] = []
        self.links: list[str] = []
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str]] = []
        self._open: list[str] = []
        self.feed(text)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        values = {name: value or "" for name, value in attrs}
        self.attributes += values.items()
        self.ids += [values["id"]] if "id" in values else []
        self.links += [values["href"]] if "href" in values else []
        if tag not in VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self._open.pop()

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag


def page_of_mixed() -> tuple[str, int]:
    history, lost = sample.cut_and_resumed()
    return render(sample.mixed(lost), lambda _: history), lost


def test_elements_nest_and_every_link_leads_somewhere() -> None:
    page = Page(page_of_mixed()[0])
    assert len(page.ids) == len(set(page.ids))
    assert page.links
    assert {link.removeprefix("#") for link in page.links} <= set(page.ids)


def test_every_finding_is_linked_to_its_record_and_its_mark() -> None:
    text, lost = page_of_mixed()
    page = Page(text)
    assert f"#case-2-n{lost}" in page.links
    assert f"#case-2-t{lost}" in page.links
    assert page.links.count("#case-2-f0") == 1
    assert text.count("event 3f-6 was never delivered") >= 2


def test_failed_cases_come_first_and_are_open() -> None:
    text, _ = page_of_mixed()
    order = re.findall(r'<details class="case" id="([^"]+)"( open)?>', text)
    assert order == [
        ("case-2", " open"),
        ("case-4", " open"),
        ("case-3", " open"),
        ("case-1", ""),
        ("case-5", ""),
    ]


def test_the_wire_is_shown_as_it_came() -> None:
    text, _ = page_of_mixed()
    assert "with Last-Event-ID &#39;3f-5&#39;" in text
    assert "event: create<i></i>\nid: 3f-<" in text  # the partial tail
    assert 'data: {"reason": "restarted"}<i></i><i></i></pre>' in text


def test_a_bad_history_is_said_so() -> None:
    def trouble(_: CaseResult) -> History | None:
        raise BadInput("gone.jsonl: no such <file>")

    text = render(sample.mixed(), trouble)
    Page(text)
    assert "gone.jsonl: no such &lt;file&gt;" in text


def test_hostile_bytes_are_shown_and_never_obeyed() -> None:
    result, history = sample.hostile()
    text = render(result, lambda _: history)
    page = Page(text)
    assert page.tags.count("script") == 1
    assert "img" not in page.tags
    assert not any(name.startswith("on") for name, _ in page.attributes)
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f\u202a-\u202e\u2066-\u2069]", text)
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in text
    assert "<b class=x>\\u202e</b>gnp.exe" in text
    assert "{{7*7}}{% raw %}" in text
    text.encode("utf-8")
    assert len(text) < 1_500_000


def test_nothing_is_fetched() -> None:
    text, _ = page_of_mixed()
    result, history = sample.hostile()
    for one in (text, render(result, lambda _: history)):
        page = Page(one)
        fetching = {"src", "srcset", "action", "data", "poster", "background"}
        assert not fetching & {name for name, _ in page.attributes}
        assert not {"link", "iframe", "object", "base", "form"} & set(page.tags)
        assert all(link.startswith("#") for link in page.links)
        assert "default-src 'none'" in one
        style = one[one.index("<style>") : one.index("</style>")]
        assert "url(" not in style
        assert "@import" not in style


def test_forty_five_cases_stay_below_five_megabytes() -> None:
    history, lost = sample.cut_and_resumed(clients=6, events=80, span_s=30)
    cases = [
        sample.case(f"test_{one}", sample.broken("event/no-loss", lost))
        if one % 3 == 0
        else sample.case(f"test_{one}", sample.held("event/no-loss"))
        for one in range(45)
    ]
    text = render(sample.run(*cases), lambda _: history)
    assert len(text.encode()) < 5_000_000


def test_a_case_link_tells_what_the_case_said_of_that_requirement() -> None:
    both = ("event/no-loss", "event/order")
    failed = sample.case(
        "test_x",
        sample.held("event/order"),
        sample.broken("event/no-loss"),
        marked=both,
    )
    text = render(sample.run(failed), lambda _: None)
    rows = re.findall(
        r'<tr id="req-(event[^"]+)">.*?<a class="(\w+)" href="#case', text, re.S
    )
    assert rows == [("event/no-loss", "fail"), ("event/order", "pass")]
