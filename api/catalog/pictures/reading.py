"""Reads a picture out of a request: a form with a file, or JSON with base64 or an address."""

from collections.abc import Mapping
from dataclasses import dataclass

import orjson
from fastapi import Request
from fastapi.exceptions import RequestValidationError
from pydantic import ValidationError
from starlette.datastructures import UploadFile
from starlette.formparsers import MultiPartException

from api.catalog.pictures.schemas import AddImage, ChangeImage
from api.kernel.errors import FieldError, MalformedRequest, ValidationFailed

_FIELD = "image"
_MOST_TEXT = 8_192
BODY = {
    "required": True,
    "content": {
        "application/json": {"schema": AddImage.model_json_schema(by_alias=True)},
        "multipart/form-data": {
            "schema": {
                "type": "object",
                "required": [_FIELD],
                "properties": {
                    _FIELD: {"type": "string", "format": "binary"},
                    "alt": {"type": "string"},
                    "variantId": {"type": "string", "format": "uuid"},
                    "position": {"type": "integer"},
                },
            }
        },
    },
}


@dataclass(frozen=True, slots=True)
class Sent:
    """The picture, as its bytes or as a text, and what is said of it."""

    picture: bytes | str
    change: ChangeImage


async def sent_in(request: Request) -> Sent:
    """Raises: MalformedRequest; ValidationFailed."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind == "application/json":
        try:
            given = orjson.loads(await request.body())
        except ValueError:
            raise MalformedRequest("The body is not valid JSON.") from None
        body = _checked(given)
        return Sent(body.image, _change(body))
    if kind == "multipart/form-data":
        return await _of_form(request)
    wrong = FieldError(pointer="/header/Content-Type", message="must be application/json or multipart/form-data")
    raise ValidationFailed("Send the picture as JSON or as a form.", errors=[wrong])


async def _of_form(request: Request) -> Sent:
    try:
        async with request.form(max_files=1, max_fields=4, max_part_size=_MOST_TEXT) as form:
            fields = dict(form.multi_items())
            file = fields.get(_FIELD)
            content = await file.read() if isinstance(file, UploadFile) else None
            texts = {name: value for name, value in fields.items() if isinstance(value, str)}
    except MultiPartException as error:
        raise MalformedRequest(f"The form cannot be read: {error.message}") from None
    # What a form lacks or has too much of is said as of JSON; the file stands for any picture there.
    body = _checked(texts if content is None else {**texts, _FIELD: "AAAA"})
    return Sent(body.image if content is None else content, _change(body))


def _checked(given: object) -> AddImage:
    try:
        return AddImage.model_validate(_numbers(given) if isinstance(given, dict) else given)
    except ValidationError as error:
        found = [{**one, "loc": ("body", *one["loc"])} for one in error.errors(include_url=False)]
        raise RequestValidationError(found, body=given) from None


def _numbers(given: Mapping[str, object]) -> dict[str, object]:
    """A form's numbers are texts."""
    place = given.get("position")
    return {**given, "position": int(place)} if isinstance(place, str) and place.isdecimal() else dict(given)


def _change(body: AddImage) -> ChangeImage:
    sent = body.model_fields_set - {_FIELD}
    return ChangeImage.model_validate({name: getattr(body, name) for name in sent if getattr(body, name) is not None})
