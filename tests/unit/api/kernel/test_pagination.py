"""Pages: offsets for people, signed cursors that fit one list and sort only."""

import base64
from datetime import UTC, datetime
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.kernel.errors import ValidationFailed
from api.kernel.pagination import PageParams, by_id, by_time, decode_cursor, encode_cursor, pagination, place_of
from tests.unit.api.kernel.keys import made_up_keys

KEYS = made_up_keys()


@pytest.mark.parametrize(("page", "limit", "offset"), [(1, 20, 0), (2, 20, 20), (1_000, 100, 99_900)])
def test_an_offset_skips_the_pages_before(page: int, limit: int, offset: int) -> None:
    assert PageParams(page=page, limit=limit, cursor=None).offset == offset


@given(st.lists(st.text(max_size=30), max_size=4))
def test_a_cursor_gives_its_position_back(position: list[str]) -> None:
    cursor = encode_cursor(KEYS, "newest", position)

    assert decode_cursor(KEYS, "newest", cursor) == position
    assert "=" not in cursor


@pytest.mark.parametrize("at", [datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 1, 1, 12, 30, 1, 7, tzinfo=UTC)])
def test_a_list_continues_behind_the_place_of_its_last_row(at: datetime) -> None:
    """A time to the microsecond; the first page begins nowhere, and the last one does not go on."""
    first, last = PageParams(page=1, limit=2, cursor=None), UUID(int=7)

    said = pagination(first, KEYS, "oldest", None, (at, last))
    following = PageParams(page=1, limit=2, cursor=said.next_cursor)
    ids = PageParams(page=1, limit=2, cursor=pagination(first, KEYS, "ids", None, [last]).next_cursor)

    assert said.has_more
    assert place_of(first, KEYS, "oldest", by_time) is None
    assert place_of(following, KEYS, "oldest", by_time) == (at, last)
    assert place_of(ids, KEYS, "ids", by_id) == last
    assert pagination(following, KEYS, "oldest", None, None).next_cursor is None
    with pytest.raises(ValidationFailed):
        place_of(following, KEYS, "ids", by_id)


def test_a_cursor_of_another_sort_is_refused_by_its_pointer() -> None:
    cursor = encode_cursor(KEYS, "newest", ["2026-01-01"])

    with pytest.raises(ValidationFailed) as refused:
        decode_cursor(KEYS, "rating", cursor)

    assert [error.pointer for error in refused.value.errors or []] == ["/query/cursor"]


@given(st.data())
def test_a_cursor_with_any_byte_changed_is_refused(data: st.DataObject) -> None:
    cursor = encode_cursor(KEYS, "newest", ["2026-01-01", "7"])
    raw = bytearray(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
    place = data.draw(st.integers(0, len(raw) - 1))
    raw[place] ^= data.draw(st.integers(1, 255))

    with pytest.raises(ValidationFailed):
        decode_cursor(KEYS, "newest", base64.urlsafe_b64encode(raw).decode().rstrip("="))


@given(st.text(max_size=60))
def test_text_that_is_no_cursor_is_refused(text: str) -> None:
    with pytest.raises(ValidationFailed):
        decode_cursor(KEYS, "newest", text)


def test_a_cursor_of_another_installation_is_refused() -> None:
    with pytest.raises(ValidationFailed):
        decode_cursor(KEYS, "newest", encode_cursor(made_up_keys(), "newest", ["1"]))
