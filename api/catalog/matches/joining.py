"""Which articles are one, by the matches that are confirmed."""

from collections.abc import Iterable
from uuid import UUID


def joined(pairs: Iterable[tuple[UUID, UUID]]) -> dict[UUID, UUID]:
    """Of each article of the pairs, the least one of those that are one with it. Each pair says that two are one, and
    what is one with the same is one."""
    least: dict[UUID, UUID] = {}

    def of(article: UUID) -> UUID:
        while least.setdefault(article, article) != article:
            least[article] = least[least[article]]
            article = least[article]
        return article

    for one, other in pairs:
        first, second = sorted((of(one), of(other)))
        least[second] = first
    groups = {article: of(article) for article in list(least)}
    several = {group for article, group in groups.items() if article != group}
    return {article: group for article, group in groups.items() if group in several}
