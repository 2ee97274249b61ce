"""What the text of a review shows by itself, and the nearest thing that is let pass."""

import time
from datetime import timedelta

import pytest

from api.reviews.judging import wording
from api.reviews.judging.likeness import ALIKE, BANDS, HASHES, bands, likeness, signature
from api.reviews.judging.mood import mood
from api.reviews.judging.rules import Facts, Thresholds, judge

LINKS = {
    "see http://a.example/x": 1,
    "see www.cheap-shop.com now": 1,
    "cheap-shop dot com and other[dot]net": 2,
    "shop.app/x": 1,
    "The app v2.0 works. Me too": 0,
    "works.me too": 0,
    "bob@mail.com": 0,
}
CONTACTS = {
    "mail me: bob(at)mail.com": True,
    "call +49 170 1234567": True,
    "call me 5551234567": True,
    "(030) 1234567": True,
    "whatsapp me at 555123": True,
    "follow @seller_99": True,
    "I use WhatsApp every day": False,
    "article 4006381333931, size 1234567890": False,
    "cost 1,234,567,890": False,
    "Nice. Contact me for more": True,
    "I called them, the seller did not contact me": False,
}
PAID = {
    "I got it in exchange for an honest review": True,
    "They offered me a free gift card for a 5 star review": True,
    "the seller paid me to write this review": True,
    "I paid 20 for it and it was worth a review": False,
    "a gift for my mother, she loves it": False,
}
OFFERS = {
    "use my discount code SAVE20": True,
    "visit our shop": True,
    "Earn money from home": True,
    "buy it now, you will not regret it": True,
    "I will buy it again, the price was right": False,
    "the shop was quick": False,
}
REPEATS = {
    "good good good good good good good good": True,
    "soooooooo nice": True,
    "Works!!!!!!!": True,
    "Best product I ever had. Best product I ever had. Best product I ever had.": True,
    "It is good, and it is quiet, and it is cheap for what it does.": False,
    "So, so good!!!": False,
}


def test_addresses_of_the_web_are_counted_in_their_disguises_too() -> None:
    assert {text: wording.links(text) for text in LINKS} == LINKS


def test_ways_to_contact_somebody_are_found_and_numbers_of_articles_are_not() -> None:
    assert {text: wording.has_contact(text) for text in CONTACTS} == CONTACTS


def test_what_was_given_for_a_review_and_what_advertises_is_found() -> None:
    assert {text: wording.is_paid(text) for text in PAID} == PAID
    assert {text: wording.has_offer(text) for text in OFFERS} == OFFERS


def test_repetition_and_shouting() -> None:
    assert {text: wording.repeats(text) for text in REPEATS} == REPEATS
    assert wording.shouts("THIS IS THE BEST PRODUCT EVER, buy")
    assert not wording.shouts("My TV has HDMI, USB-C and DLNA, and that is all I need.")
    assert not wording.shouts("THE BEST")
    assert not wording.shouts("手机壳很好看，质量也很好，下次还会再买，推荐给大家使用")


def test_alphabets() -> None:
    assert wording.has_mixed_words("gооgle it")  # Cyrillic o
    assert not wording.has_mixed_words("Google и Яндекс, µm")
    assert wording.is_foreign("прекрасный чайник", ("en", "de"))
    assert not wording.is_foreign("прекрасный чайник", ("en", "ru"))
    assert not wording.is_foreign("The чай is good, really good tea", ("en",))
    assert not wording.is_foreign("手机壳很好看，质量也很好", ("zh-Hans",))
    assert not wording.is_foreign("👍👍👍 10/10", ("en",))


def test_insults_are_words_as_they_are() -> None:
    assert wording.insults("You IDIOT, you moron") == ["idiot", "moron"]
    assert wording.insults("Scunthorpe's idiotproof cocktail") == []


def test_a_copy_is_alike_and_another_text_is_not() -> None:
    said = "This kettle is great and I love it: it boils in a minute, and does not leak at all."
    copy = said.replace("kettle", "TOASTER").replace(":", " -")
    other = "I bought the lamp for my desk and it gives a warm light, though the cable is short."
    first, second, third = (signature(text) for text in (said, copy, other))
    assert first is not None
    assert second is not None
    assert third is not None

    assert len(first) == HASHES
    assert len(bands(first)) == BANDS
    assert likeness(first, first) == 1
    assert likeness(first, second) >= ALIKE
    assert likeness(first, third) == 0
    assert set(bands(first)) & set(bands(second))
    assert not set(bands(first)) & set(bands(third))
    assert signature("Great product, works very well for me") is None


def test_mood_is_of_english_only() -> None:
    glad, sad = mood("I love it, it is great and beautiful.", "en"), mood("Horrible. It broke, I hate it.", "en-GB")
    assert glad is not None
    assert sad is not None
    assert glad > 0.7
    assert sad < -0.6
    assert mood("Ich liebe es", "de") is None


HOSTILE = [
    "a" * 5_000,
    "+1" * 2_500,
    "a@" * 2_500,
    "a." * 2_500,
    "get " * 1_250,
    "but " * 1_250,
    "a dot " * 800,
    "www." * 1_250,
    "." * 5_000,
]


@pytest.mark.parametrize("text", HOSTILE, ids=[text[:6] for text in HOSTILE])
def test_no_text_costs_more_than_its_length(text: str) -> None:
    """Processor time: 25 ms where it was written; a second where a form is quadratic."""
    started = time.process_time()

    judge(Facts(5, text, "en", ("en",), True, timedelta(days=9), mood=mood(text, "en")), Thresholds(0.5, 0.3, 0.95))
    signature(text)

    assert time.process_time() - started < 0.3
