"""A product as the index holds it."""

from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
import tantivy

from api.catalog.queries.index_feed import IndexedProduct
from api.search.documents import (
    NEAR,
    Rest,
    category_key,
    category_keys,
    document,
    fact,
    fields_of,
    hundredths,
    mark,
    popularity,
    price_terms,
    schema,
    span_prefixes,
)
from api.search.engine import facets, matching
from api.search.engine.tantivy_index import register
from api.search.filters import Filters
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
    assert (cheap["lowest"], cheap["price_cents"], cheap["lower_cents"]) == (True, 1999, [])
    assert (costly["lowest"], costly["price_cents"], costly["lower_cents"]) == (False, 2500, [1999])
    assert (cheap["own_buckets"], cheap["first_bucket"]) == ((1,), 1)
    assert (costly["own_buckets"], costly["first_bucket"]) == ((1, 2), 1)
    assert cheap["price_buckets"] == costly["price_buckets"] == [1, 2]
    assert [set(facts) for facts in cheap["facts"]] == [{*of_all, fact("color", "red")}]
    assert [set(facts) for facts in costly["facts"]] == [
        {*of_all, fact("colour", "BLUE")},
        {*of_all, fact("color", "red")},
    ]
    assert [set(facts) for facts in costly["lower_facts"]] == [
        {*cheap["facts"][0], *price_terms(Decimal("19.99")), NEAR}
    ]
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


@pytest.mark.parametrize(("lower", "near"), [("9.99", False), ("10", True), ("24.99", True)])
def test_a_cheaper_price_is_near_in_a_range_that_both_are_in(lower: str, near: bool) -> None:
    """25 ends one range and begins another, which no cheaper price is in."""
    variants = [{"price": price, "attributes": {}} for price in (lower, "25")]
    (facts,) = fields_of(replace(PRODUCT, variants=variants), 0)[1]["lower_facts"]

    assert (NEAR in facts) == near


def test_a_product_comes_back_from_its_document() -> None:
    stored = indexed(fields_of(PRODUCT, 3)[0])

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
    assert Rest.of(stored) == Rest(
        product_id=str(PRODUCT.product_id),
        brand="lumen",
        category=str(PRODUCT.category_id),
        department="/Home",
        values=["watts\x1f7", "color\x1fblue", "color\x1fred", "tags\x1fled", "tags\x1fdim"],
        prices=[1, 2],
        rating=4.35,
        titles={"en": "Desk lamp"},
    )


def test_what_one_variant_has_is_at_one_position() -> None:
    costly = fields_of(PRODUCT, 0)[1]
    red, blue, led = fact("color", "red"), fact("color", "blue"), fact("tags", "led")

    assert [found(costly, "facts", pair) for pair in ((red, led), (blue, led), (red, blue))] == [True, True, False]
    assert [found(costly, "lower_facts", pair) for pair in ((red, NEAR), (blue, NEAR))] == [True, False]


def test_the_mark_is_another_for_every_other_document_and_none_for_a_view_alone() -> None:
    names = {"/Home": {"de": "Haushalt"}}
    others = [
        mark(other, 3)
        for other in (
            replace(PRODUCT, in_stock=True),
            replace(PRODUCT, title="Lamp"),
            replace(PRODUCT, rating=Decimal(5)),
            replace(PRODUCT, variants=[]),
        )
    ]

    assert mark(PRODUCT, 3) == mark(replace(PRODUCT, view_count=41), 3)
    assert len({mark(PRODUCT, 3), mark(PRODUCT, 3_000), mark(PRODUCT, 3, names), *others}) == 7


@pytest.mark.parametrize(
    ("prices", "expected"),
    [
        (("12", "15"), {1: 1}),
        (("15", "25"), {1: 1, 2: 1}),
        (("25", "30"), {1: 1, 2: 1}),
        (("10", "10.01"), {0: 1, 1: 1}),
    ],
)
def test_a_product_is_counted_once_in_a_range_of_prices(
    prices: tuple[str, str], expected: dict[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    variants = [{"price": price, "attributes": {"color": "Red"}} for price in prices]
    searcher = written(*fields_of(replace(PRODUCT, variants=variants), 0))
    red = Filters(attributes={"colour": ["red"]})

    def counted() -> dict[int, int]:
        return facets.prices_with_attributes(searcher, tantivy.Query.all_query(), red)

    assert counted() == expected
    monkeypatch.setattr(matching, "again_in_range", lambda *_: tantivy.Query.empty_query())
    assert sum(counted().values()) == sum(expected.values()) + 1, "the guard is needed"


def indexed(fields: Mapping[str, Any]) -> tantivy.Document:
    """What an index stores of the document."""
    searcher = written(fields)
    return searcher.doc(searcher.search(tantivy.Query.all_query(), 1).hits[0][1])


def found(fields: Mapping[str, Any], name: str, facts: tuple[str, ...]) -> bool:
    """Whether one variant of the document has all of them."""
    query = tantivy.Query.phrase_query(schema(), name, [(0, one) for one in facts])
    return bool(written(fields).search(query, 1).hits)


def written(*documents: Mapping[str, Any]) -> tantivy.Searcher:
    index = tantivy.Index(schema())
    register(index)
    writer = index.writer(15_000_000, 1)
    for fields in documents:
        writer.add_json(document(fields))
    writer.commit()
    writer.wait_merging_threads()
    index.reload()
    return index.searcher()


def test_popularity_grows_with_sales_and_starts_at_one() -> None:
    nobody = replace(PRODUCT, review_count=0, view_count=0)
    assert popularity(nobody, 0) == 1.0
    assert popularity(nobody, 10) < popularity(nobody, 1_000)


def test_the_card_is_the_json_that_is_answered() -> None:
    card = str(fields_of(PRODUCT, 0)[0]["card"])
    assert '"price":19.99,' in card
    assert SearchResultItem.model_validate_json(card).model_dump_json(by_alias=True) == card
