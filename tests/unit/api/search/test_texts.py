"""The texts of the index by language."""

import random
from dataclasses import replace

import pytest
import tantivy

from api.kernel.languages import Languages
from api.search import documents, weights
from api.search.engine.tantivy_index import register
from api.search.text import prepared
from api.search.texts import STEMMERS, Stems, Tongue, analyser, texts_of, titles_of
from tests.unit.api.search.test_documents import PRODUCT

SHOP = Languages.of("en,de,fr")
VALUES = ("Red", "LED")
OWN = {
    "text": " ".join([*["desk lamp"] * weights.TITLE, "lumen", *["home lamp"] * weights.CATEGORY, "red led", ""]),
    "title": "desk lamp lamp",
    "surface": "desk lamp lumen  home lamps red led",
}
GERMAN = replace(
    PRODUCT,
    translations={
        "de": {"title": "Tischleuchte", "description": "Warmes Licht", "labels": {"color": "Farbe", "Red": "Rot"}}
    },
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
    assert {word for text in texts for word in analyser(language).analyze(prepared(text))} == {stem}


_DRAWN = [
    "Lamps",
    "running",
    "Crème",
    '24"',
    "Wi-Fi",
    "手机壳",
    "красные",
    "été",
    "Häuser",
    "1,000",
    "TK-675",
    "naïve",
    "ที่ชาร์จ",
    "👍",
    "&",
    "it's",
]


@pytest.mark.parametrize("language", ["en", "de", "ru", "xx"])
def test_kept_stems_are_those_of_the_analyser_and_too_long_words_none(language: str) -> None:
    draw = random.Random(language)
    stems = Stems(language)
    for _ in range(300):
        text = prepared(" ".join(draw.choices([*_DRAWN, "y" * 200], k=draw.randrange(12))))
        assert stems.of(text).split() == analyser(language).analyze(text), text


@pytest.mark.parametrize("language", sorted(STEMMERS))
def test_each_language_gives_as_many_words(language: str) -> None:
    text = prepared("Ein 2-Wege Kabel, USB_C: l'été — 25 mm" + " x" * 5 + "y" * 60)
    assert len(analyser(language).analyze(text)) == len(analyser("en").analyze(text))


def test_a_product_that_says_nothing_in_another_language_has_no_field_of_it() -> None:
    assert texts_of(PRODUCT, VALUES, SHOP, {}) == OWN
    assert titles_of(PRODUCT, SHOP) == {}


def test_translations_and_names_of_categories_are_in_the_fields_of_their_language() -> None:
    """Of labels those of values: what the name of an attribute is called says nothing of the product."""
    names = {"/Home": {"de": "Haushalt"}, "/Home/Lamps": {"de": "Lampen", "fr": "Lampes"}}
    texts = texts_of(GERMAN, VALUES, SHOP, names)

    title, category = " ".join(["tischleucht"] * weights.TITLE), " ".join(["haushalt lamp"] * weights.CATEGORY)
    assert {name: " ".join(text.split()) for name, text in texts.items() if name not in OWN} == {
        "title_de": "tischleucht lamp",
        "text_de": f"{title} {category} rot warm licht",
        "surface_de": "tischleuchte haushalt lampen rot",
        "title_fr": "lamp",
        "text_fr": " ".join(["lamp"] * weights.CATEGORY),
        "surface_fr": "lampes",
    }
    assert {name: text for name, text in texts.items() if name in OWN} == OWN
    assert titles_of(GERMAN, SHOP) == {"en": "Desk lamp", "de": "Tischleuchte"}


def test_a_product_of_another_language_is_in_its_own_fields_and_its_english_with_its_own_text() -> None:
    product = replace(PRODUCT, language="de", title="Tischleuchte", translations={"en": {"title": "Desk lamp"}})
    texts = texts_of(product, VALUES, SHOP, {})

    assert (texts["title"], texts["title_de"]) == ("tischleucht desk lamp lamp", "tischleucht")
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

    assert [names.text for names in own.fields] == ["text"]
    assert own.stems("lamps") == ["lamp"]
    assert [names.text for names in german.fields] == ["text", "text_de"]
    assert (german.stems("hauser"), german.stems("lamps")) == (["hauser", "haus"], ["lamp", "lamps"])


def test_the_fields_of_further_languages_are_behind_the_others() -> None:
    """So that a query by the shop's fields fits every index; fields that an index does not have are left out."""
    product = documents.fields_of(GERMAN, 0, SHOP, {})[0]
    plain = documents.fields_of(PRODUCT, 0)[0]
    assert {*product} - {*plain} == {"title_de", "text_de", "surface_de"}
    for languages in (("en",), SHOP.known, ("de", "en", "fr", "pt-BR")):
        index = tantivy.Index(documents.schema(languages))
        register(index)
        writer = index.writer(15_000_000, 1)
        writer.add_json(documents.document(plain))
        writer.commit()
        index.reload()
        assert index.searcher().doc_freq("title", "desk") == 1
