"""The text rule: the same words for what is indexed and for what is asked."""

import random
import unicodedata

import pytest

from api.search.text import prepared, read, surface_words
from api.search.text.folding import _FOLDING, folded


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Laptop stand, oak", "laptop stand oak"),
        ("Wi-Fi router", "wi fi wifi router"),
        ("Sony WH-1000XM4", "sony wh 1000xm4 wh1000xm4"),
        ("TK-675", "tk 675 tk675"),
        ("iPhone15 case", "iphone 15 iphone15 case"),
        ('24" monitor', "24 in 24in monitor"),
        ("24 inch", "24 inch 24in"),
        ("24-inch", "24 inch 24in"),
        ("16GB", "16 gb 16gb"),
        ("1,000 pcs 0,5 l", "1000 pcs 1000pk 0.5 l 0.5l"),
        ("Men\u2019s T-Shirt", "mens t shirt tshirt"),
        ("Crème brûlée", "creme brulee"),
        ("Re\u0301sume\u0301", "resume"),
        ("Straße, Łódź", "strasse lodz"),
        ("ｆｕｌｌ ﬁne Sony™ 5½", "full fine sony 5 1 2"),
        ("手机壳", "手机 手 机壳 机 壳"),
        ("iPhone手机", "iphone 手机 手 机"),
        ("наушники ёлка синий", "наушники елка синий"),
        ("🎄 tree", "🎄 tree"),
        ("-laptop (x) * \\ +", "laptop x"),
        ("a\u0000b U.S.", "a b u s"),
        ("٢٤ cm", "24 cm 24cm"),
    ],
)
def test_the_words_of_a_text(text: str, words: str) -> None:
    assert surface_words(text) == words.split()


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("wifi", "Wi-Fi"),
        ("tk675", "TK-675"),
        ("24in", '24"'),
        ("24 inches", "24-inch"),
        ("16gb", "16 GB"),
        ("手机", "手机壳"),
        ("โทรศัพท์", "เคสโทรศัพท์"),
        ("наушник", "наушники"),
        ("هاتف", "والهاتف"),
        ("resume", "Re\u0301sume\u0301"),
        ("iphone15", "iPhone15"),
        ("t-shirt", "tshirt"),
    ],
)
def test_what_is_asked_is_among_what_is_indexed(one: str, other: str) -> None:
    """Each word, joined or by its parts."""
    held = {*prepared(other).split(), *surface_words(other)}
    for word in read(one):
        assert {word.joined, *prepared(word.shown).split()} & held or set(word.parts) <= held, word


ALPHABET = "abzÉß9 .-\"',éñ½手机เค์йёλα🎄ﬁ\u0301\u200dكال~"


def test_texts_are_read_alike_composed_or_not_and_in_any_case() -> None:
    draw = random.Random(1)
    for _ in range(2_000):
        text = "".join(draw.choices(ALPHABET, k=draw.randrange(12)))
        assert prepared(unicodedata.normalize("NFD", text)) == prepared(text), text
        assert surface_words(text.upper()) == surface_words(text.upper().lower()), text
        # Each word is one word when it is read again, so that every analyser that splits at blanks has the same.
        assert all(" " not in word and word for word in surface_words(text)), text


def test_short_ways_find_the_same_words() -> None:
    draw = random.Random(2)
    for _ in range(2_000):
        text = "".join(draw.choices("ab9 .-\"',in", k=draw.randrange(14)))
        assert prepared(text).split() == surface_words(text), text


def test_the_short_way_for_ascii_folds_as_the_rule_for_every_script() -> None:
    draw = random.Random(3)
    for code in range(128):
        assert folded(chr(code)) == _FOLDING[code], code
    for _ in range(2_000):
        text = "".join(map(chr, draw.choices(range(128), k=draw.randrange(30))))
        assert folded(text) == text.translate(_FOLDING), text
        # With a letter of another script, which is read by the rule, each word of the text is the same.
        assert surface_words(f"{text} \u4e00") == [*surface_words(text), "\u4e00"], text
        assert prepared(f"{text} \u4e00").split() == [*prepared(text).split(), "\u4e00"], text


def test_words_that_nobody_types_are_left_out() -> None:
    assert surface_words(f"{'x' * 41}9 lamp-{'y' * 41} ok") == ["lamp", "ok"]
