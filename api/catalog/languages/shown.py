"""A product's texts as a reader is shown them: each in the reader's language, or else in its own."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from api.catalog.schemas import Breadcrumb
from api.kernel.languages import Reader


@dataclass(frozen=True, slots=True)
class Texts:
    """`alts`: of pictures by their addresses, where they are not the pictures' own. `fallbacks`: what is in another
    language than the reader's, with that."""

    title: str
    description: str | None
    labels: Mapping[str, str]
    alts: Mapping[str, str]
    fallbacks: dict[str, str]


def texts_for(
    reader: Reader,
    language: str | None,
    own: Mapping[str, str | None],
    said: Mapping[str, Any] | None,  # Any: JSON
    *,
    images: Iterable[Mapping[str, Any]],  # Any: JSON
    crumbs: Iterable[Breadcrumb],
) -> Texts:
    """`language`: of the product's `own` title and description, None being the shop's; `said`: its translation."""
    said = said or {}
    shown = {name: text if said.get(name) is None else str(said[name]) for name, text in own.items()}
    alts: Mapping[str, str] = said.get("alts", {})
    missing = [name for name, text in own.items() if text is not None and said.get(name) is None]
    if any(image["alt"] is not None and image["url"] not in alts for image in images):
        missing.append("media")
    beyond = reader.beyond(language)
    fallbacks = dict.fromkeys(missing, beyond) if beyond else {}
    if category := next((crumb.name_language for crumb in crumbs if crumb.name_language), None):
        fallbacks["category"] = category
    return Texts(shown["title"] or "", shown["description"], said.get("labels", {}), alts, fallbacks)
