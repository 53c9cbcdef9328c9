"""resume/* and event/logged-before-sent: found where planted, spared where right."""

import msgspec

from tests.checkers.story import (
    Edit,
    Story,
    alter,
    caught,
    drop,
    edit_frames,
    of,
    spared,
    unseen,
)

RESET = 'event: reset\ndata: {"reason": "evicted"}\n\n'


def story(missed: int, *, before: int = 2, log_limit: int = 10) -> Story:
    """Client a is cut, misses so many events, and comes back on connection 3."""
    it = Story(log_limit=log_limit)
    it.begin()
    a = it.begin("a")
    for _ in range(before):
        it.create()
    it.cut(a)
    for _ in range(missed):
        it.create()
    it.wait(1.5)
    it.resume("a")
    it.create()
    return it


def reset_instead(conn: int = 3) -> Edit:
    """The connection is reset after its ping frame, and gets nothing more."""

    def edit(records):  # type: ignore[no-untyped-def]
        cut = edit_frames(
            lambda _: None, lambda f: f.conn == conn and "ping" not in f.text
        )
        add = edit_frames(
            lambda f: [f, msgspec.structs.replace(f, text=RESET)],
            lambda f: f.conn == conn and "ping" in f.text,
        )
        return add(cut(records))

    return edit


def late(conn: int, word: str) -> Edit:
    """An event that comes again later, out of its turn."""
    return edit_frames(
        lambda f: [f, msgspec.structs.replace(f, offset=f.offset + 1)],
        lambda f: f.conn == conn and word in f.text,
    )


def replayed(conn: int, text: str) -> Edit:
    """An event that was not due comes right after the ping frame."""
    return edit_frames(
        lambda f: [f, msgspec.structs.replace(f, text=text)],
        lambda f: f.conn == conn and "ping" in f.text,
    )


def test_at_head() -> None:
    it = story(0).end()
    spared(it, "resume/at-head")
    unseen(it, "resume/within-log")
    again = it.server.log[1][1]
    caught(it, "resume/at-head", replayed(3, again))
    caught(it, "resume/at-head", reset_instead())
    caught(it, "resume/no-needless-reset", reset_instead())


def test_within_log() -> None:
    it = story(4).end()
    spared(it, "resume/within-log")
    caught(it, "resume/within-log", drop(3, "text 3"))
    caught(it, "resume/within-log", drop(3, "text 5"))
    caught(it, "resume/within-log", reset_instead())
    caught(it, "resume/within-log", late(3, "text 4"))


def test_within_log_replays_nothing() -> None:
    it = story(4)
    it.wait(4)
    nothing = edit_frames(lambda _: None, lambda f: f.conn == 3 and "create" in f.text)
    caught(it.end(), "resume/within-log", nothing)


def test_within_log_cut_short() -> None:
    it = story(4)
    it.cut(it.streams[-1])
    spared(it.end(), "resume/within-log", drop(3, "text 6"), drop(3, "text 7"))


def test_oldest_minus_one() -> None:
    it = story(10).end()
    spared(it, "resume/oldest-minus-one")
    unseen(it, "resume/within-log")
    caught(it, "resume/oldest-minus-one", reset_instead())
    caught(it, "resume/no-needless-reset", reset_instead())
    caught(it, "resume/oldest-minus-one", drop(3, "text 3"))


def test_more_than_the_log_is_not_owed() -> None:
    it = story(11)
    unseen(it.end(), "resume/oldest-minus-one")
    unseen(it, "resume/no-needless-reset")


def test_reset_within_the_log_of_a_stated_tolerance_is_needless() -> None:
    it = story(5).end()
    caught(it, "resume/no-needless-reset", reset_instead())
    spared(it, "resume/no-needless-reset")


def test_replay_live_join() -> None:
    it = story(4)
    it.create()
    it.end()
    spared(it, "resume/replay-live-join")
    caught(it, "resume/replay-live-join", drop(3, "text 7"))
    caught(it, "resume/replay-live-join", late(3, "text 7"))


def test_replay_without_writes_is_no_join() -> None:
    it = Story()
    it.begin()
    a = it.begin("a")
    it.create()
    it.cut(a)
    it.create()
    it.resume("a")
    it.wait(2)
    unseen(it.end(), "resume/replay-live-join")


def test_header_wins() -> None:
    it = Story()
    it.begin()
    for _ in range(5):
        it.create()
    it.wait(1.5)
    stream = it.open("a", header="e1-4", query="e1-1")
    it.end()
    spared(it, "resume/header-wins")
    assert stream.number == 2
    text = "".join(text for _, text in it.server.log[1:5])
    by_query = edit_frames(
        lambda f: [
            msgspec.structs.replace(f, text=block + "\n\n", offset=i)
            for i, block in enumerate(text.split("\n\n")[:-1])
        ],
        lambda f: f.conn == 2 and "create" in f.text,
    )
    assert "query" in caught(it, "resume/header-wins", by_query)


def test_header_of_this_life_against_a_query_of_an_earlier_one() -> None:
    it = Story()
    it.begin()
    it.create()
    it.restart()
    it.create()
    it.create()
    it.wait(1.2)
    stream = it.open("w2", header="e2-1", query="e1-1")
    it.create()
    it.end()
    spared(it, "resume/header-wins")
    assert "query" in caught(it, "resume/header-wins", reset_instead(stream.number))


def test_same_cursor_twice_says_nothing() -> None:
    it = Story()
    it.begin()
    it.create()
    it.open("a", header="e1-1", query="e1-1")
    unseen(it.end(), "resume/header-wins")


def at_once() -> Story:
    it = Story()
    it.begin()
    a = it.begin("a")
    it.create()
    it.cut(a)
    it.resume("a")
    it.create()
    return it


def test_logged_before_sent() -> None:
    it = at_once().end()
    spared(it, "event/logged-before-sent")
    caught(it, "event/logged-before-sent", reset_instead())
    caught(it, "event/logged-before-sent", replayed(3, it.server.log[0][1]))


def test_logged_before_sent_is_about_fresh_events() -> None:
    unseen(story(3).end(), "event/logged-before-sent")


def test_cursor_that_no_witness_can_place() -> None:
    it = at_once().end()
    unplaced = alter("event: create\nid: e1-1\n", "event: create\nid: zz\n", 2)
    assert of(it.judged(unplaced), "resume/no-needless-reset") is not None


def test_cut_before_the_answer_says_nothing() -> None:
    it = story(3)
    stream = it.resume("a")
    it.cut(stream)
    it.end()
    empty = edit_frames(lambda _: None, lambda f: f.conn == stream.number)
    spared(it, "resume/within-log", empty)
