"""What all forms of the protocol share: nothing that it does not name, and no value of another type."""

from datetime import datetime
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

VERSION = "2026-04-17"


class Form(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


def _absolute(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.netloc or " " in url:
        raise ValueError("no absolute address")
    return url


def _time(text: str) -> str:
    if datetime.fromisoformat(text).tzinfo is None or "T" not in text:
        raise ValueError("no RFC 3339 time")
    return text


Url = Annotated[str, AfterValidator(_absolute)]
Time = Annotated[str, AfterValidator(_time)]
Text = Annotated[str, Field(min_length=1)]
Minor = Annotated[int, Field(ge=0)]
Content = Literal["plain", "markdown"]
