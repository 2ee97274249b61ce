"""What the rows of a chunk ask for: new products, changes of own ones, or nothing; and what is wrong with others."""

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from pydantic import BaseModel, ValidationError
from sqlalchemy import ARRAY, Text, any_, bindparam, func, select

from api.bulk.files import columns
from api.bulk.files.groups import Group, Row, Said, found, said_by
from api.bulk.files.records import Finding
from api.bulk.models import BulkRow
from api.bulk.schemas import Result
from api.catalog.commands.fields import stored
from api.catalog.commands.matching import same_attributes, same_sku
from api.catalog.commands.owned import OwnProduct, OwnVariant, own_products_of
from api.catalog.languages.schemas import instead
from api.catalog.queries.categories import find_category
from api.catalog.schemas import ProductIn, ProductPatch, VariantIn
from api.kernel.actor import Actor
from api.kernel.db import ReadTx
from api.kernel.errors import FieldError
from api.kernel.ids import parse_id
from api.kernel.pointers import field_errors

Findings = dict[int, list[Finding]]
_EARLIER = (BulkRow.job_id == bindparam("job_id"), BulkRow.row < bindparam("row"))
_SKU = func.lower(BulkRow.sku)
_SKUS = (
    select(_SKU.label("name"), func.min(BulkRow.row).label("row"))
    .where(*_EARLIER, any_(bindparam("names", type_=ARRAY(Text))) == _SKU)
    .group_by(_SKU)
)
_TIES = (
    select(BulkRow.tie.label("name"), func.min(BulkRow.row).label("row"))
    .where(*_EARLIER, BulkRow.tie == any_(bindparam("names", type_=ARRAY(Text))))
    .group_by(BulkRow.tie)
)


@dataclass(slots=True)
class Step:
    """What one product's rows ask for. `product` and `body`: a change of it; `body` alone: a new one; neither: nothing.

    `results`: of each row, when the step succeeds. `findings`: why it cannot be taken, by row.
    """

    group: Group
    results: list[Result]
    findings: Findings = field(default_factory=dict)
    body: ProductIn | ProductPatch | None = None
    product: OwnProduct | None = None
    # The rows that the variants of `body` are in.
    rows: list[Row] = field(default_factory=list)


@dataclass(slots=True)
class Known:
    """What is asked once for all chunks that are worked on together: the category of each name."""

    categories: dict[str, UUID | None] = field(default_factory=dict)

    async def category(self, tx: ReadTx, reference: str) -> UUID | None:
        if reference not in self.categories:
            self.categories[reference] = await find_category(tx, reference)
        return self.categories[reference]


async def plan(tx: ReadTx, actor: Actor, job_id: UUID, groups: Sequence[Group], known: Known) -> list[Step]:
    """A step for each group, in their order."""
    skus = [sku for group in groups for sku in group.skus]
    ids = [found for group in groups if (found := parse_id(group.tie or "")) is not None]
    owned = await own_products_of(tx, actor, skus, ids)
    by_sku = {variant.sku.lower(): product for product in owned.values() for variant in product.variants}
    before = _Before(owned, by_sku, await _seen(tx, job_id, groups), known)
    return [await _step(tx, group, before) for group in groups]


@dataclass(frozen=True, slots=True)
class _Seen:
    """The row in which each SKU, in small letters, and each tie came first."""

    skus: dict[str, int]
    ties: dict[str, int]

    def note(self, group: Group) -> Findings:
        """What comes again in the group."""
        again: Findings = {}
        for row in group.rows:
            first = row.number if row.sku is None else self.skus.setdefault(row.sku.lower(), row.number)
            if first != row.number:
                message = f"the SKU {row.sku} is already in row {first}"
                finding = Finding(columns.SKU, message, "name each SKU once in a file")
                again.setdefault(row.number, []).append(finding)
        begin = group.rows[0].number
        first = begin if group.tie is None else self.ties.setdefault(group.tie, begin)
        if first != begin:
            message = f"the rows of this product began in row {first}: they follow each other, and are at most 100"
            again.setdefault(begin, []).append(Finding(columns.TIE, message, "sort the file by product"))
        return again


async def _seen(tx: ReadTx, job_id: UUID, groups: Sequence[Group]) -> _Seen:
    """What earlier rows of the file named."""
    asked = {"job_id": job_id, "row": groups[0].rows[0].number}
    skus = {"names": [sku.lower() for group in groups for sku in group.skus]}
    ties = {"names": [group.tie for group in groups if group.tie is not None]}
    rows = await tx.all(_SKUS, asked | skus) if skus["names"] else []
    tied = await tx.all(_TIES, asked | ties) if ties["names"] else []
    return _Seen({row[0]: row[1] for row in rows}, {row[0]: row[1] for row in tied})


@dataclass(frozen=True, slots=True)
class _Before:
    """What is there before the chunk: the seller's products by id, and by SKU in small letters."""

    owned: Mapping[UUID, OwnProduct]
    by_sku: Mapping[str, OwnProduct]
    seen: _Seen
    known: Known


async def _step(tx: ReadTx, group: Group, before: _Before) -> Step:
    said, findings = said_by(group)
    _add(findings, before.seen.note(group))
    product, wrong = _target(group, before)
    _add(findings, wrong)
    step = Step(group, [], findings)
    if any(finding.field in {"", columns.TIE} for row in findings.values() for finding in row):
        return step  # rows that cannot be read, or of a product that is not known, say nothing about its fields
    body = _body(step, said, product)
    if body is not None:
        await _settle(tx, step, body, product, before.known)
    return step


def _target(group: Group, before: _Before) -> tuple[OwnProduct | None, Findings]:
    """The product that the rows are of, None for a new one."""
    named = parse_id(group.tie or "")
    product = None if named is None else before.owned.get(named)
    if named is not None and product is None:
        finding = Finding(columns.TIE, "you sell no product with this id", "take the id of an export, or another name")
        return None, {group.rows[0].number: [finding]}
    for row in group.rows:
        has_it = before.by_sku.get(row.sku.lower()) if row.sku is not None else None
        product = product or has_it
        if has_it is not None and product is not None and has_it.product_id != product.product_id:
            message = f"the SKU {row.sku} is one of your product {has_it.product_id}"
            return None, {row.number: [Finding(columns.SKU, message, "choose another SKU, or move the row")]}
    return product, {}


def _body(step: Step, said: Said, product: OwnProduct | None) -> ProductIn | ProductPatch | None:
    """The body of the API that says what the rows say; None when it refuses it, with findings."""
    model: type[BaseModel] = ProductIn if product is None else ProductPatch
    if product is None:
        document = said.new()
    else:
        variants = {one.sku.lower(): {"attributes": one.attributes} for one in product.variants}
        document = said.change(product.fields, variants)
    try:
        body = model.model_validate(document)
    except ValidationError as error:
        refused = found(field_errors(_of_a_body(error), document), step.group.rows)
        known = {(row, finding.field) for row, findings in step.findings.items() for finding in findings}
        for row, finding in refused:
            if (row, finding.field) not in known:
                step.findings.setdefault(row, []).append(finding)
        return None
    assert isinstance(body, ProductIn | ProductPatch)
    return body


def _of_a_body(error: ValidationError) -> Iterable[dict[str, Any]]:  # Any: pydantic's
    return [{**item, "loc": ("body", *item["loc"])} for item in error.errors()]


async def _settle(
    tx: ReadTx, step: Step, body: ProductIn | ProductPatch, product: OwnProduct | None, known: Known
) -> None:
    """What the step does, and what it makes of each row."""
    category = await known.category(tx, body.category) if "category" in body.model_fields_set else None
    if "category" in body.model_fields_set and category is None:
        refused = FieldError(pointer="/category", message="no such category")
        fix = "take the path, id or name of a category of GET /categories"
        for row, finding in found([refused], step.group.rows):
            step.findings.setdefault(row, []).append(Finding(finding.field, finding.message, fix))
    if step.findings:
        return
    if product is None:
        step.body, step.results, step.rows = body, ["created"] * len(step.group.rows), step.group.rows
        return
    assert isinstance(body, ProductPatch)
    changed = {
        name
        for name in body.model_fields_set - {"variants"}
        if not (
            category == product.category_id
            if name == "category"
            else product.has_images(body.images)
            if name == "images"
            else _same(stored(name, getattr(body, name)), product.fields[name])
        )
    }
    before = {variant.sku.lower(): variant for variant in product.variants}
    named = {sku.lower() for sku in step.group.skus}
    others = {same_attributes(one.attributes) for sku, one in before.items() if sku not in named}
    step.results = [_result(variant, before, others) for variant in body.variants]
    kept = [i for i, result in enumerate(step.results) if result != "unchanged"]
    step.rows = [step.group.rows[i] for i in kept] or step.group.rows
    if changed and step.results[0] == "unchanged":
        step.results[0] = "updated"
    if not changed and not kept:
        return
    variants = {"variants": [body.variants[i] for i in kept]} if kept else {}
    values = {name: getattr(body, name) for name in changed} | variants
    if values.get("translations"):
        # A file says all of a field.
        said = {language: one for language, one in values["translations"].items() if one is not None}
        values["translations"] = instead(said, product.fields["translations"])
    step.body, step.product = ProductPatch.model_construct(_fields_set=set(values), **values), product


def _result(
    variant: VariantIn, before: Mapping[str, OwnVariant], others: Collection[frozenset[tuple[str, str]]]
) -> Result:
    """`others`: the attributes of variants that no row names; a new SKU with them is the new name of that variant."""
    old = before.get((variant.sku or "").lower())
    if old is None:
        alike = "attributes" in variant.model_fields_set and same_attributes(variant.attributes) in others
        return "updated" if alike else "created"
    sent = variant.model_fields_set - {"sku"}
    same = variant.sku == old.sku and all(
        (name == "stock" and variant.stock is None)
        or _same(*(_as_named(name, getattr(one, name)) for one in (variant, old)))
        for name in sent
    )
    return "unchanged" if same else "updated"


def _as_named(name: str, value: object) -> object:
    """A value of a variant's field; of components the SKUs as they are found, whatever their case."""
    if name != "components" or not isinstance(value, list):
        return value
    rows = [one.model_dump(by_alias=True, exclude_none=True) if isinstance(one, BaseModel) else one for one in value]
    return [row | {"sku": same_sku(row["sku"])} if "sku" in row else row for row in rows]


def _same(new: object, old: object) -> bool:
    """Equal as JSON: 1, 1.0 and true are three values. No text and an empty one say the same."""
    if isinstance(new, list):
        new = [one.model_dump(by_alias=True, exclude_none=True) if isinstance(one, BaseModel) else one for one in new]
    if isinstance(new, dict | list):
        return json.dumps(new, sort_keys=True) == json.dumps(old, sort_keys=True)
    return (new or None) == (old or None) if isinstance(new or old, str) else new == old


def _add(findings: Findings, more: Findings) -> None:
    for row, found_there in more.items():
        findings.setdefault(row, []).extend(found_there)
