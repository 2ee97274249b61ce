"""Every field of a product's body has a place."""

from decimal import Decimal

import pytest

from api.catalog.commands import fields
from api.catalog.commands.fields import COLUMNS, FUNCTIONS, column_values
from api.catalog.models import Product
from api.catalog.schemas import ProductIn, ProductPatch

BODY = ProductIn(
    title="Lamp", category="/Home", price=Decimal("10.50"), brand="Lumen", images=["https://a.example/1.jpg"]
)


@pytest.mark.parametrize("model", [ProductIn, ProductPatch])
def test_every_field_is_a_column_or_has_a_function(model: type[ProductIn | ProductPatch]) -> None:
    assert model.model_fields.keys() == COLUMNS.keys() | FUNCTIONS.keys()
    assert COLUMNS.keys() & FUNCTIONS.keys() == set()


def test_columns_are_columns_of_products() -> None:
    assert set(COLUMNS.values()) <= set(Product.__table__.columns.keys())
    assert len(set(COLUMNS.values())) == len(COLUMNS)


def test_fields_become_column_values() -> None:
    assert column_values(BODY, {"title", "price", "images", "category"}) == {
        "title": "Lamp",
        "base_price": Decimal("10.50"),
    }
    assert column_values(BODY, ProductIn.model_fields.keys()).keys() == set(COLUMNS.values())
    assert column_values(ProductPatch(brand=None), {"brand"}) == {"brand": None}


def test_a_field_without_a_place_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    # A copy: put back, the entry would be the last, and who has read the order before would read other columns.
    monkeypatch.setattr(fields, "COLUMNS", {name: at for name, at in COLUMNS.items() if name != "brand"})
    with pytest.raises(LookupError, match=r"^no column and no function stores brand$"):
        column_values(BODY, {"title", "brand"})
    assert column_values(BODY, {"title"}) == {"title": "Lamp"}
