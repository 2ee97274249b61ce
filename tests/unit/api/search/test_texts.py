"""The texts of the index by language."""

from dataclasses import replace

import pytest
import tantivy

from api.kernel.languages import Languages
from api.search import documents
from api.search.engine.tantivy_index import register
from api.search.texts import STEMMERS, TEXT_FIELDS, Tongue, analyser, texts_of, titles_of
from tests.unit.api.search.test_documents import PRODUCT

SHOP = Languages.of("en,de,fr")
OWN = {
    "title": "Desk lamp",
    "brand_text": "Lumen",
    "category_text": " Home Lamps",
    "description": "",
    "attribute_text": "",
}
GERMAN = replace(
    PRODUCT,
    translations={"de": {"title": "Tischleuchte", "description": "Warmes Licht", "labels": {"color": "Farbe"}}},
)


@pytest.mark.parametrize(
    ("language", "texts", "stem"),
    [
        ("en", ["Lamps", "lamp"], "lamp"),
        ("de", ["Häuser", "Hauser", "Haus"], "haus"),
        ("de", ["Bücher", "Buch"], "buch"),
        ("fr", ["électroniques", "electronique"], "electron"),
        ("es", ["lámparas", "lampara"], "lamp"),
        ("pt-BR", ["luzes", "luz"], "luz"),
        ("xx", ["Lämpsen"], "lampsen"),
    ],
)
def test_words_of_a_language_have_its_stems_and_no_accents(language: str, texts: list[str], stem: str) -> None:
    assert {word for text in texts for word in analyser(language).analyze(text)} == {stem}


@pytest.mark.parametrize("language", sorted(STEMMERS))
def test_each_language_gives_as_many_words(language: str) -> None:
    text = "Ein 2-Wege Kabel, USB_C: l'été — 25 mm" + " x" * 5 + "y" * 60
    assert len(analyser(language).analyze(text)) == len(analyser("en").analyze(text))


def test_a_product_that_says_nothing_in_another_language_has_no_field_of_it() -> None:
    assert texts_of(PRODUCT, OWN, SHOP, {}) == OWN
    assert titles_of(PRODUCT, SHOP) == {}


def test_translations_and_names_of_categories_are_in_the_fields_of_their_language() -> None:
    names = {"/Home": {"de": "Haushalt"}, "/Home/Lamps": {"de": "Lampen", "fr": "Lampes"}}
    assert texts_of(GERMAN, OWN, SHOP, names) == {
        **OWN,
        "title_de": "Tischleuchte",
        "words_de": "Haushalt Lampen Farbe",
        "description_de": "Warmes Licht",
        "words_fr": "Lampes",
    }
    assert titles_of(GERMAN, SHOP) == {"en": "Desk lamp", "de": "Tischleuchte"}


def test_a_product_of_another_language_is_in_its_own_fields_and_its_english_with_its_own_text() -> None:
    product = replace(PRODUCT, language="de", title="Tischleuchte", translations={"en": {"title": "Desk lamp"}})
    texts = texts_of(product, {**OWN, "title": "Tischleuchte"}, SHOP, {})

    assert (texts["title"], texts["title_de"]) == (["Tischleuchte", "Desk lamp"], "Tischleuchte")
    assert "title_fr" not in texts
    assert titles_of(product, SHOP) == {"de": "Tischleuchte", "en": "Desk lamp"}


@pytest.mark.parametrize(
    ("language", "expected"),
    [("de", ("Tischleuchte", None)), ("en", ("Desk lamp", None)), ("fr", ("Desk lamp", "en"))],
)
def test_the_title_that_a_reader_is_shown(language: str, expected: tuple[str, str | None]) -> None:
    assert documents.shown_title({"en": "Desk lamp", "de": "Tischleuchte"}, language) == expected


def test_a_reader_of_the_shops_language_is_answered_from_its_fields_alone() -> None:
    schema = documents.schema(SHOP.known)
    own, german = Tongue(SHOP, "en", schema), Tongue(SHOP, "de", schema)

    assert [name for name, _, _ in own.fields] == list(TEXT_FIELDS)
    assert own.words("Desk lamps", 20) == [("desk",), ("lamp",)]
    assert [name for name, _, _ in german.fields] == [*TEXT_FIELDS, "title_de", "words_de", "description_de"]
    assert german.words("Häuser lamps", 20) == [("hauser", "haus"), ("lamp", "lamps")]
    assert german.titles == [("title_de", 1), ("title", 0)]


def test_the_fields_of_further_languages_are_behind_the_others() -> None:
    """So that a query by the shop's fields fits every index; fields that an index does not have are left out."""
    product = documents.fields_of(GERMAN, 0, SHOP, {})[0]
    plain = documents.fields_of(PRODUCT, 0)[0]
    assert {*product} - {*plain} == {"titles", "title_de", "words_de", "description_de"}
    for languages in (("en",), SHOP.known, ("de", "en", "fr", "pt-BR")):
        index = tantivy.Index(documents.schema(languages))
        register(index, Languages.of(",".join(languages)))
        writer = index.writer(15_000_000, 1)
        writer.add_json(documents.document(plain))
        writer.commit()
        index.reload()
        assert index.searcher().doc_freq("title", "desk") == 1
