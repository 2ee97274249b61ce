"""What is exported says of every product exactly what it is: read back, nothing is to be done."""

import io
from typing import Any, cast
from uuid import UUID, uuid5

from hypothesis import given, settings
from hypothesis import strategies as st

from api.bulk.files import cells
from api.bulk.files.columns import columns, find
from api.bulk.files.export import csv_rows, header_of, json_lines, written
from api.bulk.files.groups import grouped
from api.bulk.files.lines import Place
from api.bulk.files.records import Format, table_of
from api.bulk.reading.planning import Known, Step, plan
from api.catalog.commands.owned import OwnProduct, OwnVariant
from api.catalog.schemas import ProductIn
from api.kernel.actor import Actor

SPACE = UUID(int=7)
# What spreadsheets, separators and quotation marks make of a text.
AWKWARD = ["=1+1", "'=1", "''+x", "-", "@a", "'", "'a", '"', 'a"b', "a,b;c\td|e", "a\r\nb", "a\rb", "7", "1e5", "true",
           "[1]", '"x"', "007", "NULL", "Ä ß 漢", "\u200ea", "1,000"]  # fmt: skip
prose = st.one_of(
    st.sampled_from(AWKWARD),
    st.text(st.characters(exclude_categories=["Cs", "Cc", "Cf", "Zl", "Zp", "Zs"]), min_size=1, max_size=9),
).map(str.strip)
line = prose.map(lambda text: " ".join(text.split())).filter(bool)
prices = st.decimals("0.01", "9999999.99", places=2, allow_nan=False)
value = st.one_of(
    prose, st.integers(-(10**20), 10**20), st.booleans(), st.floats(-1e9, 1e9), st.lists(prose, max_size=3)
)

words = st.dictionaries(line, line, min_size=1, max_size=2)
texts = {
    "title": line,
    "description": prose.filter(bool),
    "labels": words,
    "alts": words,
}
translations = st.dictionaries(
    st.sampled_from(["fr", "pt-BR"]), st.fixed_dictionaries({}, optional=texts).filter(bool), min_size=1
)


@st.composite
def products(draw: st.DrawFn, number: int) -> OwnProduct:
    price = draw(prices)
    fields: dict[str, Any] = {
        "title": draw(line), "description": draw(st.none() | prose.filter(bool)), "brand": draw(st.none() | line),
        "price": price, "list_price": draw(st.none() | st.just(price + 1)),
        "status": draw(st.sampled_from(["draft", "active"])),
        "prime_eligible": draw(st.booleans()), "tax_class": "food",
        "condition": draw(st.sampled_from(["new", "used_good"])),
        "kind": draw(st.sampled_from(["physical", "digital", "kit"])),
        "restrictions": draw(st.sampled_from([None, {"minAge": 18}, {"deniedCountries": ["DE", "FR"]}])),
        "language": draw(st.sampled_from([None, "de"])), "translations": draw(st.none() | translations),
        "weight_grams": draw(st.none() | st.integers(1, 9)),
        "specifications": draw(st.dictionaries(line, value, max_size=3)), "category": "/Home",
        "images": draw(st.lists(st.sampled_from(["https://a.example/1.jpg", "https://a.example/=2|3"]), unique=True)),
    }  # fmt: skip
    attributes = draw(st.lists(st.dictionaries(line, line, max_size=2), min_size=1, max_size=3))
    variants = [
        OwnVariant(
            uuid5(SPACE, f"{number}-{place}"),
            f"S-{number}-{place}",
            one,
            draw(st.none() | prices),
            draw(st.integers(0, 9)) if made_of is None else None,
            draw(st.none() | st.just("04006381333931")),
            made_of,
        )
        for place, one in enumerate(attributes)
        for made_of in (draw(st.none() | st.just([{"sku": "A-1", "units": 2}, {"sku": "B", "units": 1}])),)
    ]
    return OwnProduct(uuid5(SPACE, str(number)), SPACE, fields, variants)


async def steps_of(content: bytes, form: Format, owned: list[OwnProduct]) -> list[Step]:
    from api.bulk.reading import planning

    file = io.BytesIO(content)
    table = table_of(file, form)
    groups = [*grouped(table.records(file, Place()))]

    async def own(*_: object) -> dict[UUID, OwnProduct]:
        return {product.product_id: product for product in owned}

    async def seen(*_: object) -> object:
        return planning._Seen({}, {})  # noqa: SLF001 - nothing was read before

    patched = {"own_products_of": own, "_seen": seen}
    kept = {name: getattr(planning, name) for name in patched}
    try:
        for name, stand_in in patched.items():
            setattr(planning, name, stand_in)
        known = Known({"/Home": SPACE})
        return await plan(cast("Any", None), Actor(kind="seller"), SPACE, groups, known)
    finally:
        for name, real in kept.items():
            setattr(planning, name, real)


def csv_file(owned: list[OwnProduct]) -> bytes:
    specifications = {name: None for product in owned for name in product.fields["specifications"]}
    attributes = {name: None for product in owned for variant in product.variants for name in variant.attributes}
    header = header_of(specifications, attributes)
    rows = [row for product in owned for row in csv_rows(header, product)]
    assert not [cell for row in rows for cell in row if cell[:1] in {"=", "+", "-", "@", "\t", "\r"}]
    return written([[column.name for column in header], *rows])


@settings(max_examples=30)
@given(st.data())
async def test_read_back_it_says_the_same(data: st.DataObject) -> None:
    owned = [data.draw(products(number)) for number in range(3)]
    for form, content in (
        ("csv", csv_file(owned)),
        ("jsonl", b"".join(row for product in owned for row in json_lines(product))),
    ):
        steps = await steps_of(content, cast("Format", form), owned)
        assert [step.findings for step in steps] == [{}, {}, {}]
        assert {result for step in steps for result in step.results} == {"unchanged"}
        assert [step.body for step in steps] == [None, None, None]


@given(st.sampled_from(AWKWARD) | st.text(max_size=5))
def test_a_cell_is_read_as_the_text_that_was_written(text: str) -> None:
    assert cells.unmarked(cells.marked(text)) == text
    assert cells.marked(text)[:1] not in {"=", "+", "-", "@", "\t", "\r", "\n"}


def test_every_field_of_a_product_has_a_column() -> None:
    fields = {field.alias or name for name, field in ProductIn.model_fields.items()}
    assert {column.field for column in columns().values() if column.level == "product"} == fields - {"variants"}
    assert find("Variant price") == columns()["variantPrice"]
