"""The list is written without its wire model; the model reads it and writes the same bytes."""

from dataclasses import replace
from decimal import Decimal
from uuid import UUID

import pytest

from api.catalog.lists import list_body
from api.catalog.queries.counting import Counts
from api.catalog.queries.listing import ListedProduct
from api.catalog.schemas import ProductList
from api.kernel.languages import Reader
from api.kernel.pagination import Pagination

CARD = ListedProduct(
    product_id=UUID(int=7),
    title='Café "lamp" \u2028 <b> 💡',
    language=None,
    titles={"de": "Leuchte"},
    brand=None,
    price=Decimal("19.90"),
    currency="EUR",
    rating=4.35,
    review_count=12,
    prime_eligible=True,
    in_stock=False,
    condition="used_good",
    thumbnail="/lamp.svg",
    position=["1", "2"],
)


@pytest.mark.parametrize("language", ["en", "de", "fr"])
@pytest.mark.parametrize(
    "price", ["0.01", "0.10", "10", "999.99", "1234567.89", "9999999999.99", "0.30", "100000.00", "4999999.95"]
)
def test_the_wire_model_writes_the_same_bytes(price: str, language: str) -> None:
    cards = [CARD, replace(CARD, price=Decimal(price))]
    pagination = Pagination(page=2, limit=2, total=9, has_more=True, next_cursor="abc")
    filters = Counts(9, ["Acme", "Bolt"], {0: 4, 7: 5}, [1, 2, 3, 4]).filters()

    written = list_body(cards, pagination, filters, Reader(language, "en"))

    assert ProductList.model_validate_json(written).model_dump_json(by_alias=True).encode() == written
