"""Reads of attribute definitions, with those that a category inherits."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol
from uuid import UUID

from sqlalchemy import Select, Uuid, bindparam, select

from api.catalog.attributes.models import AttributeDefinition
from api.catalog.attributes.schemas import Attribute
from api.catalog.attributes.values import AttributeType, Definition, faults
from api.catalog.models import Category
from api.catalog.queries.categories import ancestry
from api.catalog.schemas import Breadcrumb
from api.kernel.db import ReadTx
from api.kernel.errors import ValidationFailed
from api.kernel.languages import Reader


class KnownAttributes(Protocol):
    """Search implements it, the application holds it."""

    async def attribute_names(self) -> list[str]:
        """Of all products on sale, in small letters; none before there is an index."""


@dataclass(frozen=True, slots=True)
class DefinitionRow:
    """A definition and where it is from."""

    name: str
    label: str
    type: AttributeType
    unit: str | None
    allowed_values: list[str]
    required: bool
    variant_axis: bool
    facet: bool
    labels: dict[str, str] | None
    category_id: UUID
    category_name: str
    category_path: str


@dataclass(frozen=True, slots=True)
class Labelled:
    """What a definition says of its name. `labels`: what it is called in other languages."""

    name: str
    label: str
    facet: bool
    labels: dict[str, str] | None


_LABELS = (
    select(AttributeDefinition.name, AttributeDefinition.label, AttributeDefinition.facet, AttributeDefinition.labels)
    .join(Category, Category.category_id == AttributeDefinition.category_id)
    .order_by(AttributeDefinition.facet.desc(), Category.level, AttributeDefinition.position, Category.path)
)
_COLUMNS = tuple(getattr(AttributeDefinition, name) for name in Definition.__slots__)


def inherited(own: Select[tuple[UUID]]) -> Select[tuple[object, ...]]:
    """The DefinitionRows of the category whose id `own` finds and of those above it, the nearest first."""
    up = ancestry(own)
    where = (
        up.c.category_id.label("category_id"),
        up.c.name.label("category_name"),
        up.c.path.label("category_path"),
    )
    return (
        select(*_COLUMNS, *where)
        .join(AttributeDefinition, AttributeDefinition.category_id == up.c.category_id)
        .order_by(up.c.level.desc(), AttributeDefinition.position)
    )


_INHERITED = inherited(select(bindparam("category_id", type_=Uuid)))


async def attributes_of(tx: ReadTx, category_id: UUID, reader: Reader) -> list[Attribute]:
    """What counts in the category: its own definitions first, then those of the ones above it, the nearest first."""
    return [_attribute(row, category_id, reader) for row in await _rows(tx, category_id)]


def _attribute(row: DefinitionRow, category_id: UUID, reader: Reader) -> Attribute:
    label, language = _definition(row).shown(reader)
    return Attribute(
        name=row.name,
        label=label,
        label_language=language,
        labels=row.labels or {},
        type=row.type,
        unit=row.unit,
        allowed_values=row.allowed_values,
        required=row.required,
        variant_axis=row.variant_axis,
        facet=row.facet,
        defined_in=Breadcrumb(category_id=row.category_id, name=row.category_name, path=row.category_path),
        inherited=row.category_id != category_id,
    )


async def all_labels(tx: ReadTx) -> list[Labelled]:
    """Of every definition: what is a facet first, then what is higher in the tree."""
    return await tx.all_as(Labelled, _LABELS)


async def definitions_of(tx: ReadTx, category_id: UUID) -> list[Definition]:
    """As attributes_of, for judging values."""
    return definitions_in(await _rows(tx, category_id))


async def require_values(
    tx: ReadTx,
    category_id: UUID,
    specifications: Mapping[str, object],
    variants: Sequence[Mapping[str, object]],
    sent: Sequence[Mapping[str, object]],
) -> None:
    """As `values.faults`, for a product in this category. Raises: ValidationFailed that names every value."""
    definitions = await definitions_of(tx, category_id)
    found = faults(definitions, specifications, variants, sent) if definitions else []
    if found:
        raise ValidationFailed("Values are not as the category defines them.", errors=found)


def definitions_in(rows: Iterable[DefinitionRow]) -> list[Definition]:
    """The definitions that count among inherited ones."""
    return [_definition(row) for row in _nearest(rows)]


def _definition(row: DefinitionRow) -> Definition:
    return Definition(*(getattr(row, name) for name in Definition.__slots__))


async def _rows(tx: ReadTx, category_id: UUID) -> list[DefinitionRow]:
    return _nearest(await tx.all_as(DefinitionRow, _INHERITED, {"category_id": category_id}))


def _nearest(rows: Iterable[DefinitionRow]) -> list[DefinitionRow]:
    nearest: dict[str, DefinitionRow] = {}
    for row in rows:
        nearest.setdefault(row.name.casefold(), row)
    return list(nearest.values())
