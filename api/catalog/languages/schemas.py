"""The body of a product's translations."""

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from api.catalog.pictures.schemas import MOST_IMAGES, Alt
from api.kernel.languages import MOST_LANGUAGES, LanguageTag
from api.kernel.schemas import Wire
from api.kernel.texts import OneLine, Prose

MOST_LABELS = 300
Title = Annotated[OneLine, Field(min_length=1, max_length=500, examples=["Noise-cancelling headphones"])]
Description = Annotated[Prose, Field(max_length=20_000)]
Label = Annotated[OneLine, Field(min_length=1, max_length=200)]
Labels = Annotated[
    dict[Label, Label],
    Field(max_length=MOST_LABELS, examples=[{"color": "Farbe", "Natural Titanium": "Titan Natur"}]),
]


Address = Annotated[OneLine, Field(min_length=1, max_length=1_000)]
Alts = Annotated[
    dict[Address, Alt],
    Field(max_length=MOST_IMAGES, examples=[{"/media/pictures/0f/0f3c/1200.webp": "Die Lampe auf einem Tisch"}]),
]


class Translation(Wire):
    """The texts of a product in another language; what is absent or null is shown in the product's own. `labels`: how
    names and values of its attributes and specifications are shown there, by the name or value. `alts`: the texts of
    its pictures, by their addresses as `images` has them."""

    title: Title | None = None
    description: Description | None = None
    labels: Labels = Field(default_factory=dict)
    alts: Alts = Field(default_factory=dict)


def _each_once(value: object) -> object:
    names = [name.lower() for name in value if isinstance(name, str)] if isinstance(value, dict) else []
    if len(set(names)) < len(names):
        raise ValueError("must name each language once")
    return value


_EXAMPLE = {"de": {"title": "Kopfhörer mit Geräuschunterdrückung", "labels": {"color": "Farbe"}}}
EachOnce = BeforeValidator(_each_once)
Translations = Annotated[
    dict[LanguageTag, Translation], Field(max_length=MOST_LANGUAGES, examples=[_EXAMPLE]), EachOnce
]
# Of each language what was sent; null takes away the field, or all of the language.
ChangedTranslations = Annotated[
    dict[LanguageTag, Translation | None], Field(max_length=MOST_LANGUAGES, examples=[_EXAMPLE]), EachOnce
]

# JSON, as `products.translations` has it: language -> field -> text, or labels by word. Nothing is empty in it.
Stored = Mapping[str, Mapping[str, Any]]  # Any: JSON


def instead(sent: Mapping[str, Translation], before: Stored | None) -> dict[str, Translation | None]:
    """What to send for these to be all that there is, instead of what was kept until now."""
    whole = {
        language: Translation(title=one.title, description=one.description, labels=one.labels, alts=one.alts)
        for language, one in sent.items()
    }
    return {**dict.fromkeys(before or {}), **whole}


def stored(sent: Mapping[str, Translation | None] | None, before: Stored | None = None) -> dict[str, Any] | None:
    """What is kept when this is sent of what was kept until now; None when that is nothing."""
    if sent is None:
        return None
    kept: dict[str, Any] = dict(before or {})  # Any: JSON
    for language, one in sent.items():
        said = {} if one is None else one.model_dump(mode="json", by_alias=True, exclude_unset=True)
        texts = {**kept.get(language, {}), **said} if one is not None else {}
        kept[language] = {field: text for field, text in texts.items() if text}
    return {language: texts for language, texts in kept.items() if texts} or None
