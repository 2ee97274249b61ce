"""What a save keeps of a product's languages."""

from collections.abc import Set as AbstractSet
from typing import Any

from api.catalog.languages.schemas import Stored, stored
from api.catalog.schemas import ProductIn, ProductPatch
from api.kernel.errors import FieldError, ValidationFailed
from api.kernel.languages import Languages


def language_values(
    languages: Languages,
    body: ProductIn | ProductPatch,
    fields: AbstractSet[str],
    own: str | None = None,
    before: Stored | None = None,
) -> dict[str, Any]:  # Any: values of columns
    """The columns of those `fields` that are about languages. `own` and `before`: the product's language and
    translations until now.

    Raises: ValidationFailed for a language that the catalog may not be in, and for a translation into the product's
    own.
    """
    if not fields & {"language", "translations"}:
        return {}
    language = body.language if "language" in fields else own
    after = before
    if "translations" in fields:
        after = stored(body.translations, None if isinstance(body, ProductIn) else before)
    sent = {name for name, one in (body.translations or {}).items() if one is not None}
    faults = [languages.fault(f"/translations/{name}") for name in sorted(sent - set(languages.known))]
    if "language" in fields and language is not None and language not in languages.known:
        faults.append(languages.fault("/language"))
    spoken = language or languages.own
    if spoken in sent:
        message = "is the product's own language; say it in title and description"
        faults.append(FieldError(pointer=f"/translations/{spoken}", message=message))
    elif spoken in (after or {}):
        faults.append(FieldError(pointer="/language", message="the product has a translation into it; remove that"))
    if faults:
        raise ValidationFailed("The languages of the product are not right.", errors=faults)
    return {"language": language, "translations": after}
