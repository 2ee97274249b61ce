"""What a review, an answer or a report may say: plain text, without markup and without addresses of the web."""

import re
from typing import Annotated

from pydantic import AfterValidator, Field

from api.kernel.card_numbers import refuse_card_number
from api.kernel.texts import OneLine, SomeLines

_MARKUP = re.compile(
    r"<\s*[/!?]?\s*[a-zA-Z][^<>]{0,300}>|<\s*script|javascript\s*:|\bon[a-z]{3,20}\s*=\s*[\"']", re.IGNORECASE
)
# Domains that people write without a scheme; any domain would refuse "the box.It broke".
_TOP = "com|net|org|info|biz|shop|store|online|site|xyz|top|ru|cn|io|co|me|ly|link|click"
_LINK = re.compile(rf"https?\s*:\s*/\s*/|ftp://|\bwww\.\w|\b[\w-]+\.(?:{_TOP})\b(?:/|\b(?![\w.-]))", re.IGNORECASE)


def plain_words(value: str) -> str:
    """Raises: ValueError for markup and for links."""
    if (found := _MARKUP.search(value)) is not None:
        raise ValueError(f"leave out the markup at character {found.start() + 1}: reviews are plain text")
    if (found := _LINK.search(value)) is not None:
        raise ValueError(f"leave out the link at character {found.start() + 1}: describe what you mean")
    return value


_Plain = AfterValidator(plain_words)
_NoCard = AfterValidator(refuse_card_number)
ReviewTitle = Annotated[OneLine, Field(min_length=1, max_length=150, examples=["Great product!"]), _Plain, _NoCard]
Comment = Annotated[
    SomeLines,
    Field(min_length=1, max_length=5_000, examples=["Holds the laptop firmly, and the oak is real."]),
    _Plain,
    _NoCard,
]
AnswerText = Annotated[
    SomeLines, Field(min_length=1, max_length=2_000, examples=["Thank you: we send you the screws."]), _Plain, _NoCard
]
ReportComment = Annotated[SomeLines, Field(max_length=1_000), _NoCard]
