"""What a brand and a member are called."""

import pytest

from api.identity.queries import public_name
from api.storefront.brands.names import grouped, slug_of


@pytest.mark.parametrize(
    ("name", "slug"),
    [
        ("Acme", "acme"), (" ACME ", "acme"), ("Black & Decker", "black-decker"), ("Ａｃｍｅ", "acme"),
        ("L'Oréal", "l-oréal"), ("东芝", "东芝"), ("!!!", ""), ("STRASSE", "strasse"), ("Straße", "strasse"),
    ],
)  # fmt: skip
def test_spellings_of_a_brand_have_one_slug(name: str, slug: str) -> None:
    assert slug_of(name) == slug


def test_a_brand_is_called_what_most_call_it() -> None:
    brands = grouped([("ACME", 2), ("Acme", 5), ("acme.", 1), ("Zeta", 9), ("***", 4)])

    assert [(one.slug, one.name, one.spellings, one.products) for one in brands.values()] == [
        ("acme", "Acme", ["Acme", "ACME", "acme."], 8), ("zeta", "Zeta", ["Zeta"], 9),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("Anna Maria Shopper", "Anna S."), ("Anna", "Anna"), ("anna shopper", "anna S."), ("", "A customer"),
        ("anna@example.com", "A customer"), ("  ", "A customer"),
    ],
)  # fmt: skip
def test_a_member_is_a_first_name_and_an_initial(name: str, shown: str) -> None:
    assert public_name(name) == shown
