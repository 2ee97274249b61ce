"""Changes of attribute definitions, by administrators."""

from uuid import UUID

from sqlalchemy import delete, insert

from api.catalog.attributes.models import AttributeDefinition
from api.catalog.attributes.schemas import AttributeIn, AttributesIn
from api.catalog.queries.categories import require_category
from api.catalog.tree.commands import lock_tree
from api.kernel.actor import Actor, require_administrator
from api.kernel.context import Context
from api.kernel.db import Tx
from api.kernel.errors import FieldError, ValidationFailed
from api.kernel.languages import Languages


async def set_attributes(ctx: Context, actor: Actor, category_id: UUID, body: AttributesIn) -> None:
    """Replace what the category itself defines. Products keep what they have; their next save is judged by it.

    Raises: Forbidden; CategoryNotFound; ValidationFailed.
    """
    require_administrator(actor)
    _require_names(body)
    _require_languages(ctx.settings.languages, body)

    async def work(tx: Tx) -> None:
        await lock_tree(tx)
        own = await require_category(tx, str(category_id))
        await tx.execute(delete(AttributeDefinition).where(AttributeDefinition.category_id == own))
        rows = [_row(own, position, one) for position, one in enumerate(body.attributes)]
        if rows:
            await tx.execute(insert(AttributeDefinition).values(rows))

    await ctx.db.run(work)


def _row(category_id: UUID, position: int, one: AttributeIn) -> dict[str, object]:
    return {
        "category_id": category_id,
        "position": position,
        "name": one.name,
        "label": one.label,
        "type": one.type,
        "unit": one.unit,
        "allowed_values": one.allowed_values,
        "required": one.required,
        "variant_axis": one.variant_axis,
        "facet": one.facet,
        "labels": one.labels or None,
    }


def _require_languages(languages: Languages, body: AttributesIn) -> None:
    """Raises: ValidationFailed for a language that the catalog may not be in, and for the shop's own, in which an
    attribute has its label."""
    faults = []
    for place, one in enumerate(body.attributes):
        for language in one.labels:
            at = f"/attributes/{place}/labels/{language}"
            if language == languages.own:
                faults.append(FieldError(pointer=at, message="is the shop's own language; send it as label"))
            elif language not in languages.known:
                faults.append(languages.fault(at))
    if faults:
        raise ValidationFailed("The languages of the labels are not right.", errors=faults)


def _require_names(body: AttributesIn) -> None:
    """Raises: ValidationFailed for a name that is there twice, and for an enum without values."""
    found, seen = list[FieldError](), set[str]()
    for place, one in enumerate(body.attributes):
        if one.name.casefold() in seen:
            found.append(FieldError(pointer=f"/attributes/{place}/name", message="is there twice"))
        seen.add(one.name.casefold())
        if one.type == "enum" and not one.allowed_values:
            message = "must name the values of the enum"
            found.append(FieldError(pointer=f"/attributes/{place}/allowedValues", message=message))
    if found:
        raise ValidationFailed("The attributes are not valid.", errors=found)
