"""What a review may say."""

import pytest

from api.reviews.texts import plain_words


@pytest.mark.parametrize(
    "text",
    [
        "5 < 6 and 7 > 3", "a <3 for it", "The box.It broke", "version 2.0 is fine", "e.g. this", "No.1 in the test",
        "I paid $5.99/unit", "on = off", "it was so-so...and loud", "3.5mm jack", "St. Ives", "Größe M, schön!",
    ],
)  # fmt: skip
def test_plain_words_pass(text: str) -> None:
    assert plain_words(text) == text


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("<script>alert(1)</script>", "markup at character 1"),
        ("< SCRIPT src=x", "markup"),
        ("good <img src=x onerror=alert(1)>", "markup at character 6"),
        ("</p>", "markup"),
        ("javascript:alert(1)", "markup"),
        ('x onload="y"', "markup"),
        ("see HTTPS://EXAMPLE.com", "link at character 5"),
        ("http : //x", "link"),
        ("www.example", "link"),
        ("try cheap-things.shop", "link"),
        ("foo.com/bar", "link"),
        ("go to foo.com now", "link"),
    ],
)
def test_markup_and_links_are_named(text: str, what: str) -> None:
    with pytest.raises(ValueError, match=what):
        plain_words(text)
