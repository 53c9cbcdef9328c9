"""Good writes that are turned down: found where it is sure that they were good."""

import pytest

from harness.core.history import Answer, F, Invoke, Ok
from tests.checkers.story import Story, caught, spared, unseen
from tests.checkers.test_snapshot import story

ONLY, BAD = "write/interactive-only", "write/bad-input"


def refused(it: Story, f: F, about: object, status: int = 404) -> None:
    answer = Answer(status=status, body='{"error":{"code":"no","message":"no"}}')
    text = "" if f is F.DELETE else "refused text"
    it.call("writer", f, answer, failed=True, about=str(about), text=text)


@pytest.mark.parametrize("f", [F.UPDATE, F.DELETE])
@pytest.mark.parametrize("status", [400, 404, 405, 422])
def test_a_change_of_what_is_there(f: F, status: int) -> None:
    it = story(8)
    refused(it, f, 8, status)
    assert "there then" in caught(it.end(), ONLY)


def test_what_was_pushed_out_or_deleted_may_be_refused() -> None:
    it = story(8)
    it.delete(8)
    for about in (1, 8):
        refused(it, F.UPDATE, about)
    spared(it.end(), ONLY)


def test_who_asks_for_what_nobody_has_seen_made_may_be_refused() -> None:
    it = story(2)
    it.restart()
    refused(it, F.UPDATE, 2)  # shown by this life's first snapshot, and made by another
    unseen(it.end(), ONLY)


def test_trouble_is_no_refusal_and_haste_is_of_new_messages_alone() -> None:
    it = story(8)
    refused(it, F.UPDATE, 8, 503)
    unseen(it.end(), ONLY)
    it = story(8)
    refused(it, F.UPDATE, 8, 429)
    caught(it.end(), ONLY)


def test_a_delete_on_its_way_may_come_first() -> None:
    it = story(8)
    call = it.add(Invoke, who="other", f=F.DELETE, about="8")
    refused(it, F.UPDATE, 8)
    it.server.window.pop()
    it.server.store.pop()
    it.broadcast(it.server.commit("delete", {"id": 8}))
    it.add(Ok, call=call, answer=Answer(status=204))
    unseen(it.end(), ONLY)


def test_a_new_message_is_good_by_itself() -> None:
    it = story(2)
    refused(it, F.CREATE, "", 422)
    assert "refused text" in caught(it.end(), BAD)
    it = story(2)
    refused(it, F.CREATE, "", 429)
    unseen(it.end(), BAD)
