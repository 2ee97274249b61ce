"""A product as the index holds it."""

from dataclasses import replace
from decimal import Decimal
from uuid import UUID

from api.catalog.queries.index_feed import IndexedProduct
from api.search.documents import (
    attribute_key,
    category_key,
    category_keys,
    digest,
    document,
    fields_of,
    hundredths,
    popularity,
)
from api.search.schemas import SearchResultItem

PRODUCT = IndexedProduct(
    product_id=UUID(int=7 << 80),
    live=True,
    title="Desk lamp",
    brand="Lumen",
    seller_id=UUID(int=4),
    category_id=UUID(int=3),
    category_path="/Home/Lamps",
    description=None,
    specifications={"Watts": 7, "tags": ["LED", "dim"], "none": None},
    variants=[{"color": "Red"}, {"color": "Blue"}, {"color": "Red"}],
    price=Decimal("19.99"),
    currency="USD",
    rating=Decimal("4.35"),
    review_count=12,
    view_count=40,
    prime_eligible=True,
    in_stock=False,
    thumbnail="/lamp.svg",
)


def test_attributes_of_product_and_variants_are_keys_once_each() -> None:
    assert fields_of(PRODUCT, 0)["attributes"] == [
        "watts=7",
        "color=blue",
        "color=red",
        "tags=led",
        "tags=dim",
    ]
    assert attribute_key("Color", "RED") == "color=red"


def test_prices_and_ratings_are_whole_numbers() -> None:
    fields = fields_of(PRODUCT, 0)
    assert (fields["price_cents"], fields["rating_hundredths"], fields["age"]) == (1999, 435, 7)
    assert hundredths(Decimal("0.29")) == 29


def test_a_category_is_found_by_every_name_on_its_path() -> None:
    keys = category_keys(UUID(int=3), "/Home/Lamps")
    for asked in ("Home", "lamps", "/home", "Home > Lamps", "/Home/Lamps/", str(UUID(int=3))):
        assert category_key(asked) in keys
    assert category_key("Lamps > Home") not in keys


def test_a_product_comes_back_from_its_document() -> None:
    stored = document(fields_of(PRODUCT, 3))

    found = SearchResultItem.model_validate_json(str(stored.get_first("card")))

    assert found == SearchResultItem(
        product_id=PRODUCT.product_id,
        title="Desk lamp",
        brand="Lumen",
        price=PRODUCT.price,
        currency="USD",
        rating=4.35,
        review_count=12,
        thumbnail="/lamp.svg",
        prime_eligible=True,
        in_stock=False,
        sponsored=False,
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
    card = str(fields_of(PRODUCT, 0)["card"])
    assert '"price":19.99,' in card
    assert SearchResultItem.model_validate_json(card).model_dump_json(by_alias=True) == card
