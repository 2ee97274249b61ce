"""Which language a reader gets, and how languages are named."""

import pytest

from api.kernel.errors import ValidationFailed
from api.kernel.languages import LONGEST_HEADER, Languages, Reader, tag
from api.kernel.settings import Settings

SHOP = Languages.of("en,de,fr,pt-BR,zh-Hant")


@pytest.mark.parametrize(
    ("header", "language"),
    [
        (None, "en"),
        ("", "en"),
        ("de", "de"),
        ("DE", "de"),
        ("de-AT", "de"),
        ("de-DE-1996", "de"),
        ("pl, de-CH;q=0.9, en;q=0.8", "de"),
        ("fr;q=0.3, de;q=0.5", "de"),
        ("fr;q=0.5, de;q=0.5", "fr"),
        ("fr;q=0.5,de;q=0.500", "fr"),
        ("de ; q=0.1 , fr ; q=1.000", "fr"),
        ("de;q=0", "en"),
        ("en;q=0, *", "de"),
        ("de;q=0, de-AT, fr;q=0.1", "fr"),
        ("*", "en"),
        ("ja, *;q=0.1", "en"),
        ("ja", "en"),
        ("pt", "pt-BR"),
        ("pt-PT", "pt-BR"),
        ("pt-br", "pt-BR"),
        ("zh-TW", "zh-Hant"),
        ("zh-hant-tw", "zh-Hant"),
        ("de;q=2, fr", "fr"),
        ("de;level=1, fr", "fr"),
        ("d, 12, de_DE, <script>, fr;q=0.2", "fr"),
        ("\xff\xfe, de", "de"),
        (",;,;q=1,", "en"),
        ("x" * LONGEST_HEADER + ",de", "en"),
    ],
)
def test_the_best_language_for_a_header(header: str | None, language: str) -> None:
    assert SHOP.heard(None if header is None else header.encode("latin-1")) == language


def test_headers_without_end_take_no_memory_without_end() -> None:
    shop = Languages.of("en,de")
    for number in range(5_000):
        assert shop.heard(f"de-{number}".encode()) == "de"
    assert len(shop._heard) <= 2_000  # noqa: SLF001 - what is kept is the question


@pytest.mark.parametrize(
    ("written", "custom"),
    [("DE", "de"), ("pt-br", "pt-BR"), ("ZH-hant-tw", "zh-Hant-TW"), ("sl-ROZAJ-biske", "sl-rozaj-biske")],
)
def test_a_tag_as_it_is_written_by_custom(written: str, custom: str) -> None:
    assert tag(written) == custom


@pytest.mark.parametrize("wrong", ["", "d", "de_DE", "de-", "deutschland", "de-" + "a" * 9, "de" + "-abcdefgh" * 4])
def test_what_is_no_tag(wrong: str) -> None:
    with pytest.raises(ValueError, match="BCP 47"):
        tag(wrong)


def test_a_language_that_is_named_must_be_one_of_the_shop() -> None:
    assert SHOP.named("de") == "de"
    with pytest.raises(ValidationFailed) as refused:
        SHOP.named("it")
    assert [(error.pointer, error.message) for error in refused.value.errors or ()] == [
        ("/query/language", "must be one of en, de, fr, pt-BR, zh-Hant")
    ]


@pytest.mark.parametrize(
    ("setting", "message"),
    [("en,EN", "twice"), ("en,,de", "BCP 47"), (",".join(f"a{chr(97 + i)}" for i in range(21)), "more than 20")],
)
def test_a_setting_that_names_no_languages(setting: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Languages.of(setting)


def test_the_setting_is_kept_as_it_is_written_by_custom(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://localhost/none")
    monkeypatch.setenv("SOUK_CATALOG_LANGUAGES", "DE, pt-br")
    assert Settings().languages.known == ("de", "pt-BR")


def test_a_text_is_shown_in_the_readers_language_or_else_in_its_own() -> None:
    german = Reader("de", "en")
    assert german.text("Lamp", "Lampe") == ("Lampe", None)
    assert german.text("Lamp", None) == ("Lamp", "en")
    assert german.text("Lampe", None, "de") == ("Lampe", None)
    assert german.text("Lampada", None, "it") == ("Lampada", "it")
