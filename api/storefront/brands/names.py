"""One brand under its spellings. Pure functions."""

import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass, field


@dataclass(slots=True)
class Brand:
    """`spellings`: the most frequent first, which is its name; `products` on sale."""

    slug: str
    spellings: list[str] = field(default_factory=list)
    products: int = 0

    @property
    def name(self) -> str:
        return self.spellings[0]


def slug_of(name: str) -> str:
    """Equal for spellings of one brand: letters and digits in small, and one dash for whatever is between them."""
    folded = unicodedata.normalize("NFKC", name).casefold()
    words = "".join(letter if letter.isalnum() else " " for letter in folded).split()
    return "-".join(words)


def grouped(counts: Iterable[tuple[str, int]]) -> dict[str, Brand]:
    """Spellings with their numbers of products -> brands by slug, by name."""
    brands: dict[str, Brand] = {}
    for name, count in sorted(counts, key=lambda pair: (-pair[1], pair[0])):
        if slug := slug_of(name):
            brand = brands.setdefault(slug, Brand(slug))
            brand.spellings.append(name)
            brand.products += count
    return dict(sorted(brands.items()))
