"""What a save keeps of translations, and what it refuses."""

from typing import Any

import pytest
from pydantic import ValidationError

from api.catalog.languages.commands import language_values
from api.catalog.schemas import ProductIn, ProductPatch
from api.kernel.errors import ValidationFailed
from api.kernel.languages import Languages

SHOP = Languages.of("en,de,fr")
BEFORE = {"de": {"title": "Lampe", "description": "Hell"}, "fr": {"title": "Lampe"}}


def put(**fields: Any) -> dict[str, Any]:
    body = ProductIn.model_validate({"title": "Lamp", "category": "Home", "price": 1, **fields})
    return language_values(SHOP, body, ProductIn.model_fields.keys(), "fr", BEFORE)


def patch(own: str | None = None, before: dict[str, Any] | None = None, **fields: Any) -> dict[str, Any]:
    body = ProductPatch.model_validate(fields)
    return language_values(SHOP, body, body.model_fields_set, own, BEFORE if before is None else before)


def test_put_replaces_all_and_sets_the_shops_own_language() -> None:
    assert put() == {"language": None, "translations": None}
    assert put(language="DE", translations={"en": {"title": "Lamp"}, "fr": {}}) == {
        "language": "de",
        "translations": {"en": {"title": "Lamp"}},
    }


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ({"de": {"title": "Leuchte"}}, {**BEFORE, "de": {"title": "Leuchte", "description": "Hell"}}),
        ({"de": {"title": None}}, {**BEFORE, "de": {"description": "Hell"}}),
        ({"de": None}, {"fr": {"title": "Lampe"}}),
        ({"fr": {"title": None}}, {"de": BEFORE["de"]}),
        ({"de": None, "fr": None}, None),
        (None, None),
        ({}, BEFORE),
        ({"de": {}}, BEFORE),
        ({"de": {"labels": {"Red": "Rot"}}}, {**BEFORE, "de": {**BEFORE["de"], "labels": {"Red": "Rot"}}}),
        ({"it": None}, BEFORE),
    ],
)
def test_patch_sets_what_was_sent_field_by_field(sent: Any, kept: Any) -> None:
    assert patch(translations=sent) == {"language": None, "translations": kept}


def test_patch_without_languages_changes_none() -> None:
    assert patch(title="Other") == {}
    assert patch("fr", {"de": {"title": "Lampe"}}, language=None)["translations"] == {"de": {"title": "Lampe"}}


@pytest.mark.parametrize(
    ("fields", "pointer", "message"),
    [
        ({"translations": {"it": {"title": "Lampada"}}}, "/translations/it", "must be one of en, de, fr"),
        ({"language": "it"}, "/language", "must be one of en, de, fr"),
        ({"translations": {"en": {"title": "Lamp"}}}, "/translations/en", "is the product's own language"),
        ({"language": "de"}, "/language", "has a translation into it"),
        ({"language": "de", "translations": {"de": {"title": "L"}}}, "/translations/de", "is the product's own"),
    ],
)
def test_languages_that_are_refused(fields: dict[str, Any], pointer: str, message: str) -> None:
    with pytest.raises(ValidationFailed) as refused:
        patch(**fields)
    (error,) = refused.value.errors or []
    assert error.pointer == pointer
    assert message in error.message


@pytest.mark.parametrize(
    ("translations", "kind"),
    [
        ({f"a{chr(97 + i % 26)}-x{i}": {"title": "T"} for i in range(100)}, "too_long"),
        ({"de": {"title": "x" * 501}}, "too_long"),
        ({"de": {"title": ""}}, "too_short"),
        ({"de": {"description": "x" * 20_001}}, "too_long"),
        ({"de": {"title": "right \u202eto left"}}, "value_error"),
        ({"de": {"title": "two\nlines"}}, "value_error"),
        ({"de": {"description": "a null \x00"}}, "value_error"),
        ({"de": {"labels": {"Red\x07": "Rot"}}}, "value_error"),
        ({"de": {"labels": {str(i): "x" for i in range(301)}}}, "too_long"),
        ({"de": {"subtitle": "x"}}, "extra_forbidden"),
        ({"de": "Lampe"}, "model_type"),
        ({"german": {"title": "x" * 5}, "de_DE": {}}, "value_error"),
        ({"de": {"title": "a"}, "DE": {"title": "b"}}, "value_error"),
        ([], "dict_type"),
    ],
)
def test_translations_that_are_none(translations: Any, kind: str) -> None:
    with pytest.raises(ValidationError) as refused:
        ProductPatch.model_validate({"translations": translations})
    assert kind in {error["type"] for error in refused.value.errors()}


def test_arabic_and_hebrew_need_no_marks() -> None:
    body = ProductPatch.model_validate(
        {"translations": {"ar": {"title": "مصباح\u200f مكتبي"}, "he": {"title": "מנורה"}}}
    )
    assert body.translations is not None
    assert set(body.translations) == {"ar", "he"}
