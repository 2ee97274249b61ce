"""The columns of a result are the fields of its class, by name; any difference is an error."""

from dataclasses import dataclass
from decimal import Decimal
from uuid import UUID, uuid4

import pytest
from pydantic import BaseModel, ValidationError

from api.kernel.money import Amount
from api.kernel.rows import ColumnMismatch, as_models
from api.kernel.schemas import Wire, WireId


@dataclass(frozen=True, slots=True)
class Line:
    variant_id: UUID
    quantity: int
    price: Decimal = Decimal(0)


@dataclass(frozen=True, slots=True)
class Name:
    name: str


class LineBody(Wire):
    variant_id: WireId
    quantity: int
    price: Amount


ID = uuid4()
COLUMNS = ("variant_id", "quantity", "price")
ROW = (ID, 2, Decimal("3.50"))


@pytest.mark.parametrize("model", [Line, LineBody])
def test_columns_fill_the_fields_of_their_name_in_any_order(model: type[Line | LineBody]) -> None:
    expected = model(variant_id=ID, quantity=2, price=Decimal("3.50"))
    assert as_models(model, COLUMNS, [ROW, ROW]) == [expected, expected]
    assert as_models(model, COLUMNS[::-1], [ROW[::-1]]) == [expected]
    assert as_models(model, COLUMNS, []) == []


def test_one_column_is_one_field() -> None:
    assert as_models(Name, ["name"], [("a",), ("b",)]) == [Name("a"), Name("b")]


@pytest.mark.parametrize("model", [Line, LineBody])
@pytest.mark.parametrize(
    ("columns", "said"),
    [
        (("variant_id", "quantity"), "no column for ['price'], no field for []"),
        (("variant_id", "quantity", "price", "sku"), "no column for [], no field for ['sku']"),
        (("variant_id", "quantity", "cost"), "no column for ['price'], no field for ['cost']"),
        (("variant_id", "quantity", "price", "price"), "no column for [], no field for []"),
    ],
    ids=["missing, though it has a default", "extra", "renamed", "twice"],
)
def test_a_difference_is_an_error_even_without_rows(
    model: type[Line | LineBody], columns: tuple[str, ...], said: str
) -> None:
    with pytest.raises(ColumnMismatch) as raised:
        as_models(model, columns, [])
    assert said in str(raised.value)


def test_a_wire_model_validates() -> None:
    with pytest.raises(ValidationError):
        as_models(LineBody, COLUMNS, [(ID, "2", Decimal("3.50"))])


def test_another_class_is_refused() -> None:
    with pytest.raises(TypeError, match="neither a dataclass nor a pydantic model"):
        as_models(str, ["name"], [("a",)])


def test_a_plain_pydantic_model_will_do() -> None:
    class Plain(BaseModel):
        name: str

    assert as_models(Plain, ["name"], [("a",)]) == [Plain(name="a")]
