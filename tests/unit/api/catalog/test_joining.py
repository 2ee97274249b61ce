"""What is one through others, against a search through all pairs."""

import random
from uuid import UUID

from api.catalog.matches.joining import joined


def by_search(pairs: list[tuple[int, int]]) -> dict[int, int]:
    found = {}
    for article in {one for pair in pairs for one in pair}:
        seen, queue = {article}, [article]
        while queue:
            here = queue.pop()
            for pair in pairs:
                if here in pair:
                    queue += [one for one in pair if one not in seen]
                    seen |= set(pair)
        if len(seen) > 1:
            found[article] = min(seen)
    return found


def test_random_pairs_join_what_a_search_reaches() -> None:
    draw = random.Random(1)
    for _ in range(2_000):
        size = draw.randrange(1, 12)
        pairs = [(draw.randrange(size), draw.randrange(size)) for _ in range(draw.randrange(0, 10))]
        found = joined((UUID(int=one), UUID(int=other)) for one, other in pairs)
        assert {one.int: least.int for one, least in found.items()} == by_search(pairs), pairs


def test_an_article_alone_is_joined_with_none() -> None:
    assert joined([]) == {}
    assert joined([(UUID(int=1), UUID(int=1))]) == {}
