"""The phrases of a title."""

import pytest

from api.search.suggestions.phrases import phrases_of


@pytest.mark.parametrize(
    ("title", "brand", "values", "head", "parts"),
    [
        ("Laptop stand oak", None, (), "laptop stand", {"oak", "stand oak", "laptop stand oak"}),
        ("Laptop stand oak", None, ("Oak",), "laptop stand", {"oak", "stand oak", "laptop stand oak"}),
        ("Laptop stand, aluminium", None, (), "laptop stand", {"stand", "laptop stand", "aluminium"}),
        ("Stainless steel laptop stand, 2 pieces", None, (), "laptop stand",
            {"stand", "laptop stand", "steel laptop stand", "pieces"}),
        ("Sony WH-1000XM4 headphones", "Sony", (), "headphones", {"sony", "headphones", "sony headphones"}),
        ("ACME Desk lamp with USB (black)", "Acme", (), "desk lamp",
            {"lamp", "desk lamp", "acme desk lamp", "usb", "black"}),
        ("24", None, (), None, set()),
        ("", None, (), None, set()),
        ("x" * 500, None, (), None, set()),
        ("Women's shoes", None, (), "women's shoes", {"shoes", "women's shoes"}),
    ],
)  # fmt: skip
def test_nouns_stand_at_the_ends_of_parts(
    title: str, brand: str | None, values: tuple[str, ...], head: str | None, parts: set[str]
) -> None:
    phrases = phrases_of(title, brand, values)

    assert phrases.heads == tuple(dict.fromkeys(filter(None, (brand and brand.lower(), head))))
    assert set(phrases.parts) == parts
