"""The languages that the catalog is shown in, and which of them a reader gets.

A language is named by its BCP 47 tag: `de`, `pt-BR`. `Accept-Language` is read by RFC 9110 and matched by the lookup of
RFC 4647: the preferred range that a language of the shop fulfils, shortened from its end until one does. A range that
no tag is short enough for, as `pt`, is fulfilled by the first language that is a variety of it.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Annotated

from pydantic import AfterValidator, Field
from starlette.types import Scope

from api.kernel.errors import FieldError, ValidationFailed

# More make each kept page and each entry of the search index so many times as large.
MOST_LANGUAGES = 20
DEFAULT = "en,de,fr,es"
LONGEST_TAG = 35
# What is read of a header; browsers send less than 100 characters.
LONGEST_HEADER = 500
_KEPT_HEADERS = 2_000
_TAG = re.compile(r"[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8})*")
_QUALITY = re.compile(r"q=(0(\.\d{0,3})?|1(\.0{0,3})?)", re.IGNORECASE)
HEADER = b"accept-language"


def tag(value: str) -> str:
    """The tag as it is written by custom: `DE` is `de`, `pt-br` is `pt-BR`. Raises: ValueError."""
    if len(value) > LONGEST_TAG or not _TAG.fullmatch(value):
        raise ValueError("must be a language by its BCP 47 tag, such as de or pt-BR")
    first, *rest = value.split("-")
    cased = (part.upper() if len(part) == 2 else part.title() if len(part) == 4 else part.lower() for part in rest)
    return "-".join([first.lower(), *cased])


LanguageTag = Annotated[
    str,
    Field(min_length=2, max_length=LONGEST_TAG, examples=["de"], description="BCP 47 tag"),
    AfterValidator(tag),
]


@dataclass(frozen=True, slots=True)
class Reader:
    """Whom texts are shown to: the language, and that of the shop, which is a text's own where nothing else is said."""

    language: str
    shop: str

    def text(self, own: str, translated: str | None, language: str | None = None) -> tuple[str, str | None]:
        """Which of a text and its translation is shown, and the language of it where that is another than the
        reader's. `language`: the text's own."""
        return (own, self.beyond(language)) if translated is None else (translated, None)

    @property
    def headers(self) -> dict[str, str]:
        """Of an answer in the language."""
        return {"Content-Language": self.language, "Vary": "Accept-Language"}

    def beyond(self, language: str | None) -> str | None:
        """A text's own language, where it is not the reader's."""
        own = language or self.shop
        return None if own == self.language else own


_reader = lru_cache(maxsize=1_000)(Reader)


@dataclass(frozen=True, slots=True)
class Languages:
    """`known`: the shop's own language, then the others."""

    known: tuple[str, ...]
    _heard: dict[bytes, str] = field(default_factory=dict, compare=False, repr=False)

    @classmethod
    def of(cls, text: str) -> "Languages":
        """Of tags with commas between them. Raises: ValueError."""
        known = tuple(tag(part.strip()) for part in text.split(","))
        if len(set(known)) < len(known):
            raise ValueError("names a language twice")
        if len(known) > MOST_LANGUAGES:
            raise ValueError(f"names more than {MOST_LANGUAGES} languages")
        return cls(known)

    @property
    def own(self) -> str:
        """That of the shop, which a reader gets who asks for none."""
        return self.known[0]

    def heard(self, header: bytes | None) -> str:
        """The language for a reader with this Accept-Language header."""
        if header is None:
            return self.known[0]
        found = self._heard.get(header)
        if found is None:
            found = self._matched(header[:LONGEST_HEADER].decode("latin-1"))
            if len(self._heard) >= _KEPT_HEADERS:
                self._heard.clear()
            self._heard[header] = found
        return found

    def named(self, language: str) -> str:
        """The language that a query names. Raises: ValidationFailed for one that the catalog is not in."""
        if language not in self.known:
            raise ValidationFailed("The catalog is not in this language.", errors=[self.fault("/query/language")])
        return language

    def asked(self, scope: Scope, language: str | None) -> str:
        """The one that the query of a request names, else by its header. Raises: ValidationFailed."""
        return self.heard(dict(scope["headers"]).get(HEADER)) if language is None else self.named(language)

    def reader(self, language: str) -> Reader:
        return _reader(language, self.own)

    def fault(self, pointer: str) -> FieldError:
        """The refusal of another language."""
        return FieldError(pointer=pointer, message=f"must be one of {', '.join(self.known)}")

    def _matched(self, header: str) -> str:
        wanted = dict(_ranges(header))
        refused = {one for asked, quality in wanted.items() if not quality and (one := self._fulfilling(asked))}
        for asked in sorted((one for one in wanted if wanted[one]), key=lambda one: -wanted[one]):
            found = self._fulfilling(asked)
            if found is not None and found not in refused:
                return found
            if asked == "*":
                return next((one for one in self.known if one not in refused), self.own)
        return self.own

    def _fulfilling(self, asked: str) -> str | None:
        by_letters = {one.lower(): one for one in self.known}
        parts = asked.lower().split("-")
        for length in range(len(parts), 0, -1):
            if (found := by_letters.get("-".join(parts[:length]))) is not None:
                return found
        return next((one for one in self.known if one.lower().startswith(f"{parts[0]}-")), None)


def _ranges(header: str) -> Iterator[tuple[str, float]]:
    """The ranges of a header with their qualities, as they stand; what is none is passed over."""
    for part in header.split(","):
        asked, _, weight = (piece.strip() for piece in part.partition(";"))
        quality = _QUALITY.fullmatch(weight.replace(" ", ""))
        if (asked == "*" or _TAG.fullmatch(asked)) and (quality or not weight):
            yield asked, float(quality[1]) if quality else 1.0
