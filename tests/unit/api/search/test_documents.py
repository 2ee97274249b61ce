"""A product as the index holds it."""

from dataclasses import replace
from decimal import Decimal
from uuid import UUID

import pytest

from api.catalog.queries.index_feed import IndexedProduct
from api.search.documents import (
    category_key,
    category_keys,
    digest,
    document,
    fact,
    fields_of,
    hundredths,
    popularity,
    price_terms,
    span_prefixes,
)
from api.search.schemas import SearchResultItem

PRODUCT = IndexedProduct(
    product_id=UUID(int=7 << 80),
    live=True,
    language=None,
    translations=None,
    title="Desk lamp",
    brand="Lumen",
    seller_id=UUID(int=4),
    category_id=UUID(int=3),
    category_path="/Home/Lamps",
    description=None,
    specifications={"Watts": 7, "tags": ["LED", "dim"], "none": None},
    variants=[
        {"price": "25.00", "attributes": {"color": "Blue"}},
        {"price": "19.99", "attributes": {"color": "Red"}},
        {"price": "25.00", "attributes": {"color": "Red"}},
    ],
    currency="USD",
    rating=Decimal("4.35"),
    review_count=12,
    view_count=40,
    prime_eligible=True,
    condition="new",
    in_stock=False,
    thumbnail="/lamp.svg",
)


def test_a_document_for_each_price_has_the_facts_of_its_variants_and_of_cheaper_ones() -> None:
    cheap, costly = fields_of(PRODUCT, 0)
    of_all = [fact("Watts", "7"), fact("tags", "LED"), fact("tags", "dim")]

    assert cheap["attribute_names"] == costly["attribute_names"] == ["color", "tags", "watts"]
    assert (cheap["lowest"], cheap["price_cents"], cheap["lower_cents"], cheap["own_buckets"]) == (True, 1999, [], [1])
    assert (costly["lowest"], costly["price_cents"], costly["lower_cents"], costly["own_buckets"]) == (
        False, 2500, [1999], [1, 2],
    )  # fmt: skip
    assert cheap["price_buckets"] == costly["price_buckets"] == [1, 2]
    assert [set(facts) for facts in cheap["facts"]] == [{*of_all, fact("color", "red")}]
    assert [set(facts) for facts in costly["facts"]] == [
        {*of_all, fact("colour", "BLUE")},
        {*of_all, fact("color", "red")},
    ]
    assert [set(facts) for facts in costly["lower_facts"]] == [{*cheap["facts"][0], *price_terms(Decimal("19.99"))}]
    assert cheap["lower_facts"] == []


def test_a_fact_is_of_a_name_in_any_spelling_and_of_a_value_in_any_case() -> None:
    assert fact("Color", "RED") == fact("colour", "red") != fact("color=red", "")
    assert fact("a", "b=c") != fact("a=b", "c")


@pytest.mark.parametrize(("lowest", "highest"), [(0, 0), (999, 1_001), (0, 123_456), (10, 10**12 - 1), (5, 4)])
def test_a_span_of_prices_has_a_prefix_of_every_price_in_it_and_of_no_other(lowest: int, highest: int) -> None:
    terms = set(span_prefixes(lowest, highest))
    near = {0, 9, 10, 11, *(end + step for end in (lowest, highest) for step in (-1, 0, 1))}

    for cents in (one for one in near if 0 <= one < 10**12):
        assert bool(terms & set(price_terms(Decimal(cents) / 100))) == (lowest <= cents <= highest), cents
    assert len(terms) <= 2 * 9 * 12


def test_prices_and_ratings_are_whole_numbers() -> None:
    fields = fields_of(PRODUCT, 0)[0]
    assert (fields["price_cents"], fields["rating_hundredths"], fields["age"]) == (1999, 435, 7)
    assert hundredths(Decimal("0.29")) == 29


def test_a_category_is_found_by_every_name_on_its_path() -> None:
    keys = category_keys(UUID(int=3), "/Home/Lamps")
    for asked in ("Home", "lamps", "/home", "Home > Lamps", "/Home/Lamps/", str(UUID(int=3))):
        assert category_key(asked) in keys
    assert category_key("Lamps > Home") not in keys


def test_a_product_comes_back_from_its_document() -> None:
    stored = document(fields_of(PRODUCT, 3)[0])

    found = SearchResultItem.model_validate_json(str(stored.get_first("card")))

    assert found == SearchResultItem(
        product_id=PRODUCT.product_id,
        title="Desk lamp",
        title_language=None,
        brand="Lumen",
        price=Decimal("19.99"),
        currency="USD",
        rating=4.35,
        review_count=12,
        thumbnail="/lamp.svg",
        prime_eligible=True,
        in_stock=False,
        sponsored=False,
        condition="new",
    )
    assert (stored.get_first("product_id"), stored.get_first("seller")) == (str(PRODUCT.product_id), str(UUID(int=4)))
    assert stored.get_first("category") == str(UUID(int=3))


def test_a_view_alone_is_no_new_document() -> None:
    assert digest(fields_of(PRODUCT, 3)) == digest(fields_of(replace(PRODUCT, view_count=41), 3))
    assert digest(fields_of(PRODUCT, 3)) != digest(fields_of(replace(PRODUCT, in_stock=True), 3))


def test_popularity_grows_with_sales_and_starts_at_one() -> None:
    nobody = replace(PRODUCT, review_count=0, view_count=0)
    assert popularity(nobody, 0) == 1.0
    assert popularity(nobody, 10) < popularity(nobody, 1_000)


def test_the_card_is_the_json_that_is_answered() -> None:
    card = str(fields_of(PRODUCT, 0)[0]["card"])
    assert '"price":19.99,' in card
    assert SearchResultItem.model_validate_json(card).model_dump_json(by_alias=True) == card
