"""What the text of a review shows by itself: links, contacts, offers, shouting, repetition, alphabets.

Each function is pure and looks at no more than `READ` characters, so that its cost has a bound.
"""

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable

# More of a text is not judged: nobody reads it, and a few pages say enough about their author.
READ = 5_000
# A word is long enough for its alphabet, and a text for its capitals or repetition, to mean something.
WORD, SHOUT, LONG = 4, 20, 8
_DOMAINS = r"com|net|org|info|biz|xyz|ru|cn|io|ly|co\.uk|de"
_MORE_DOMAINS = "shop|store|online|site|top|club|link|click|app|me|fr|es"
_NAME = r"(?<![\w.@-])[a-z0-9][a-z0-9-]{0,62}"
_LINK = re.compile(
    rf"(?:https?://|www\.)\S{{1,200}}|{_NAME}(?:\.| ?(?:\(dot\)|\[dot\]| dot ) ?)(?:(?:{_DOMAINS})\b(?!\.\w)"
    rf"|(?:{_MORE_DOMAINS})/)",
    re.IGNORECASE,
)
_MAIL = re.compile(
    r"(?<![\w.+-])[\w.+-]{1,64} ?(?:@|\(at\)|\[at\]) ?[\w-]{1,63} ?(?:\.|\(dot\)|\[dot\]) ?\w{2,}", re.IGNORECASE
)
# As telephone numbers are written: a number of a model or an article is not one.
_PHONE = re.compile(
    r"(?<!\w)\+\d(?:[ ()./-]{0,2}\d){7,14}(?!\d)|\(\d{2,5}\) ?\d{3,4}[ -]?\d{3,4}\b|\b\d{3}[-.]\d{3}[-.]\d{4}\b"
    r"|\b(?:call|phone|tel|mobile|ring|number|text)\b\W{0,3}(?:\w{2,4}\W)?\d(?:[ ()./-]{0,2}\d){6,14}(?!\d)",
    re.IGNORECASE,
)
_MESSENGER = re.compile(
    r"\b(?:whats ?app|telegram|wechat|viber|snapchat|skype)\b.{0,40}(?:\d{5}|@\w|\b(?:me|us|id|group|channel)\b)"
    r"|(?:^|[.!,;:-]\s?|please |pls |just )(?:dm|inbox|message|contact) (?:me|us)\b|(?<!\w)@[a-z]\w{3,}",
    re.IGNORECASE | re.DOTALL,
)
_OFFER = re.compile(
    r"\b(?:promo(?:tion)?|discount|coupon|voucher|referral) ?codes?\b|\bclick (?:here|the link|on)\b"
    r"|\b(?:visit|check out|follow) (?:my|our) (?:shop|store|page|profile|website|channel|site)\b"
    r"|\b(?:work from home|earn (?:money|\$|€|£)|make money|crypto|bitcoin|casino|loan|viagra|cialis)\b"
    r"|\b(?:buy|order) (?:it )?(?:now|here|from us|cheaper)\b|\bbest price guaranteed\b",
    re.IGNORECASE,
)
_PAID = re.compile(
    r"\b(?:in exchange|in return) for (?:a|an|my|this|the)?\s?(?:\w+ ){0,2}(?:review|rating|stars|feedback)\b"
    r"|\b(?:got|received|given|gave|sent|get|offered) (?:it |this |me |us )?(?:a )?(?:\w+ ){0,3}"
    r"(?:free|gift card|refund|cash ?back|money back) (?:\w+ ){0,4}(?:review|rating|stars|feedback)\b"
    r"|\b(?:paid|pays|pay) (?:me |you |us )?(?:to|for) (?:\w+ ){0,3}(?:review|rating|stars|feedback)\b",
    re.IGNORECASE,
)
_RUN = re.compile(r"([^\W\d_])\1{5,}|([!?])\2{5,}")
_WORDS = re.compile(r"\w+")
_INSULTS = frozenset(
    {
        "asshole", "assholes", "bastard", "bastards", "bitch", "cunt", "cunts", "dickhead", "faggot", "fucker",
        "fuckers", "idiot", "idiots", "moron", "morons", "motherfucker", "nigger", "retard", "retarded", "scum", "slut",
        "wanker", "wankers", "whore",
    }
)  # fmt: skip


def links(text: str) -> int:
    """How many addresses of the web are named, also in the forms that are meant to pass a filter."""
    return len(_LINK.findall(_MAIL.sub(" ", text[:READ])))


def has_contact(text: str) -> bool:
    """Whether a mail address, a telephone number or an account of a messenger is named."""
    read = text[:READ]
    return any(form.search(read) for form in (_MAIL, _PHONE, _MESSENGER))


def has_offer(text: str) -> bool:
    """Whether it advertises something else than the product."""
    return _OFFER.search(text[:READ]) is not None


def is_paid(text: str) -> bool:
    """Whether it says itself that something was given for it."""
    return _PAID.search(text[:READ]) is not None


def insults(text: str) -> list[str]:
    """Words that are said of people to hurt them, as they are; the least that is known without a model."""
    return sorted(_INSULTS.intersection(words(text)))


def shouts(text: str) -> bool:
    """Whether most of its letters are capitals, in alphabets that have small ones."""
    letters = [each for each in text[:READ] if each.isupper() or each.islower()]
    return len(letters) >= SHOUT and sum(map(str.isupper, letters)) > 0.6 * len(letters)


def repeats(text: str) -> bool:
    """Whether one character, word or sentence makes the most of it."""
    if _RUN.search(text[:READ]):
        return True
    said = words(text)
    if len(said) >= LONG and Counter(said).most_common(1)[0][1] > 0.34 * len(said):
        return True
    sentences = [" ".join(words(one)) for one in re.split(r"[.!?\n]+", text[:READ])]
    sentences = [one for one in sentences if len(one) > SHOUT]
    return len(sentences) >= 3 and len(set(sentences)) <= len(sentences) / 3


def has_mixed_words(text: str) -> bool:
    """Whether words mix alphabets whose letters look alike, which hides them from readers of words."""
    return any(
        len(_alphabets(word) & {"LATIN", "CYRILLIC", "GREEK"}) > 1
        for word in _WORDS.findall(text[:READ])
        if len(word) >= WORD
    )


def is_foreign(text: str, languages: Iterable[str]) -> bool:
    """Whether most of it is in an alphabet that no language of the shop is written in."""
    letters = Counter(unicodedata.name(each, "").partition(" ")[0] for each in text[:READ] if each.isalpha())
    if letters.total() < LONG:
        return False
    return letters.most_common(1)[0][0] not in {one for language in languages for one in _written_in(language)}


def words(text: str) -> list[str]:
    """The words that are compared: without case, width and marks."""
    return _WORDS.findall(unicodedata.normalize("NFKC", text[:READ]).casefold())


def _written_in(language: str) -> tuple[str, ...]:
    return _ALPHABETS.get(language.partition("-")[0], ("LATIN",))


def _alphabets(word: str) -> set[str]:
    return {unicodedata.name(each, "").partition(" ")[0] for each in word if each.isalpha()}


_ALPHABETS = {
    **dict.fromkeys(("ru", "uk", "be", "bg", "mk", "kk", "sr"), ("CYRILLIC", "LATIN")),
    **dict.fromkeys(("ar", "fa", "ur"), ("ARABIC",)),
    "el": ("GREEK",),
    "he": ("HEBREW",),
    "hi": ("DEVANAGARI",),
    "ja": ("CJK", "HIRAGANA", "KATAKANA", "KATAKANA-HIRAGANA"),
    "ko": ("HANGUL", "CJK"),
    "th": ("THAI",),
    "zh": ("CJK",),
}
