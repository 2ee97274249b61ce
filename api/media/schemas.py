"""Pictures as they cross HTTP."""

import re
from typing import Annotated

from pydantic import AfterValidator, Field

from api.kernel.schemas import Wire
from api.kernel.texts import one_line
from api.media.naming import API, SIZES, address

# Base64 of the largest picture that any setting would allow.
_LONGEST = 256 * 1024 * 1024
_LONGEST_ADDRESS = 1_000
_BASE64 = re.compile(r"[A-Za-z0-9+/_\r\n-]+={0,2}[\r\n]*")
_ADDRESS = re.compile(rf"https?://|//|{re.escape(API)}", re.IGNORECASE)
DATA = re.compile(r"data:[a-z0-9.+/-]{0,100};base64,", re.IGNORECASE)


def is_address(text: str) -> bool:
    """Whether a text is meant as an address: of the web, or of this shop without its host. Base64 of a JPEG begins with
    a slash too."""
    return _ADDRESS.match(text) is not None


def picture_text(value: str) -> str:
    """An address on one line, or base64. Raises: ValueError."""
    if is_address(value):
        if len(value) > _LONGEST_ADDRESS:
            raise ValueError(f"an address has at most {_LONGEST_ADDRESS:,} characters")
        if re.search(r"\s", value):
            raise ValueError("an address has no white space")
        return one_line(value)
    prefix = DATA.match(value)
    if _BASE64.fullmatch(value, prefix.end() if prefix else 0) is None:
        one_line(value[:_LONGEST_ADDRESS])
        raise ValueError(
            "must be a picture in base64, with or without `data:image/...;base64,`, or its http(s) address"
        )
    return value


PictureText = Annotated[
    str,
    Field(
        min_length=1,
        max_length=_LONGEST,
        description="A picture in base64, with or without `data:image/...;base64,`, or the address of one",
        examples=["iVBORw0KGgo..."],
    ),
    AfterValidator(picture_text),
]


class PictureBody(Wire):
    """A picture in its sizes, for `srcset`: the longest side has 160, 480 and 1200 pixels, or as many as the picture
    has. `blur` is a data URI that stands in while it loads; `alt` says what is to be seen."""

    url160: str
    url480: str
    url1200: str
    alt: str | None
    blur: str | None
    width: int | None
    height: int | None


def sizes_of(name: str) -> dict[str, str]:
    """`url160` and so on."""
    return {f"url{size}": address(name, size) for size in SIZES}
