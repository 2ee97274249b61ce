"""The indexer is woken by what it has to read, and by nothing else."""

from uuid import uuid4

import pytest

from api.catalog.pages import WHOLE_SHOP, product_tag
from api.search.sync import Changes


@pytest.mark.parametrize(
    ("tags", "wakes"),
    [([product_tag(uuid4())], 1), ([product_tag(uuid4()), WHOLE_SHOP], 1), ([WHOLE_SHOP], 0), ([], 0)],
)
def test_a_changed_product_wakes_it_and_a_list_that_it_dropped_itself_does_not(tags: list[str], wakes: int) -> None:
    told: list[None] = []
    changes = Changes(lambda: told.append(None))

    changes.add(tags)

    assert len(told) == wakes


def test_a_feed_that_was_not_heard_wakes_it() -> None:
    told: list[None] = []

    Changes(lambda: told.append(None)).forget()

    assert len(told) == 1
