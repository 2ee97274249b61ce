"""The language of a request's texts, for routes."""

from typing import Annotated

from fastapi import Depends, Query, Request
from pydantic import Field

from api.kernel.context import Context, context_of
from api.kernel.languages import LONGEST_HEADER, LanguageTag, Reader
from api.kernel.schemas import Params

Named = Annotated[
    LanguageTag | None,
    Field(description="Of the catalog's texts; without it `Accept-Language` decides. Unknown ones are refused"),
]


class InLanguage(Params):
    """In which language texts are shown."""

    language: Named = None


def header_in_document() -> dict[str, object]:
    """`Accept-Language` for `openapi_extra`. Routes read it themselves: a direct route must not have it as a parameter,
    because browsers always send it."""
    header = {
        "name": "Accept-Language",
        "in": "header",
        "required": False,
        "schema": {"type": "string", "maxLength": LONGEST_HEADER, "examples": ["de-AT, de;q=0.9, en;q=0.5"]},
        "description": "The languages in which catalog texts are wanted; a parameter `language` goes before it",
    }
    return {"parameters": [header]}


def reader_in(ctx: Context, request: Request, language: str | None) -> Reader:
    """Whom the answer is for; `language` as the query names it. Raises: ValidationFailed for an unknown one."""
    languages = ctx.settings.languages
    return languages.reader(languages.asked(request.scope, language))


async def _reader_of(request: Request, language: Annotated[Named, Query()] = None) -> Reader:
    return reader_in(await context_of(request), request, language)


CurrentReader = Annotated[Reader, Depends(_reader_of)]
