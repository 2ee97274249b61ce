"""Values that a process keeps until their tag is dropped."""

import pytest

from api.kernel import clock, feeds, memo
from api.kernel.memo import Memo


@pytest.fixture
def known() -> Memo[int]:
    heard = feeds.Feeds()
    heard.hear("events")
    return Memo[int](heard, "events", 3)


def put(known: Memo[int], **values: int) -> None:
    with known.reading() as read:
        read.update(values)


def test_a_value_is_kept_until_its_tag_is_dropped(known: Memo[int]) -> None:
    put(known, a=1, b=2)
    assert known.known(["a", "b", "c"]) == {"a": 1, "b": 2}

    known.drop(["a", "x"])

    assert known.known(["a", "b"]) == {"b": 2}
    known.forget()
    assert known.known(["b"]) == {}


def test_what_is_dropped_while_it_is_read_is_not_kept(known: Memo[int]) -> None:
    with known.reading() as one, known.reading() as other:
        one.update(a=1, b=1)
        known.drop(["a"])
        other.update(c=1)
    assert known.known(["a", "b", "c"]) == {"b": 1, "c": 1}

    with known.reading() as one:
        one.update(d=1)
        known.forget()
    assert known.known(["d"]) == {}


def test_a_reading_that_fails_keeps_nothing(known: Memo[int]) -> None:
    def fail() -> None:
        with known.reading() as read:
            read.update(a=1)
            raise LookupError

    with pytest.raises(LookupError):
        fail()
    assert known.known(["a"]) == {}


def test_values_end_and_those_used_least_lately_leave(known: Memo[int], monkeypatch: pytest.MonkeyPatch) -> None:
    put(known, a=1, b=2, c=3)
    known.known(["a"])
    put(known, d=4)
    assert known.known("abcd") == {"a": 1, "c": 3, "d": 4}

    later = clock.monotonic() + memo.SECONDS
    monkeypatch.setattr(clock, "monotonic", lambda: later)
    assert known.known("acd") == {}


def test_nothing_is_known_while_the_feed_is_not_heard(known: Memo[int], monkeypatch: pytest.MonkeyPatch) -> None:
    put(known, a=1)
    later = clock.monotonic() + feeds.TRUST_SECONDS
    monkeypatch.setattr(clock, "monotonic", lambda: later)
    assert known.known(["a"]) == {}
