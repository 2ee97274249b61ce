"""Take pictures in, and say who shows them.

Taking in reads, decodes and stores with no transaction open; then the caller's own transaction makes the rows, with
what shows the pictures. So a row never lacks its bytes. What dies in between leaves objects without a row, or a row
that nothing shows: both are collected (`collecting.py`).
"""

import asyncio
import base64
import binascii
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal
from uuid import UUID

from sqlalchemy import func, update
from sqlalchemy.dialects.postgresql import insert

from api.kernel import failpoints
from api.kernel.context import Context
from api.kernel.db import Tx
from api.kernel.errors import FieldError, ValidationFailed
from api.media import queries
from api.media.errors import StoreSilent
from api.media.models import Picture, PictureUse
from api.media.naming import digest_of, named_in, new_name, original_key, size_key
from api.media.outside import fetched
from api.media.press.formats import Refused
from api.media.press.parent import press_of
from api.media.press.perceptual import bands
from api.media.press.sizes import Pressed
from api.media.schemas import DATA, is_address
from api.media.store.interface import ObjectStore, StoreFailed
from api.media.store.opening import store_of

OwnerKind = Literal["product", "review"]


@dataclass(frozen=True, slots=True)
class Incoming:
    """A picture as a client sent it: its bytes, or a text as PictureText takes it. `pointer` to where it stood."""

    sent: bytes | str
    pointer: str


@dataclass(frozen=True, slots=True)
class Taken:
    """A picture whose objects are stored. `made`: of one that has no row yet. `source`: where it was fetched from."""

    name: str
    content_bytes: int
    made: Pressed | None
    source: str | None = None


async def take_in(ctx: Context, incoming: Sequence[Incoming]) -> list[Taken]:
    """Each picture in its order: one that the shop has already is found again, a new one is decoded and stored.

    Raises: ValidationFailed that names every picture which is none; StoreSilent. Then nothing of them is shown.
    """
    contents, names, wrong = await _read(ctx, incoming)
    async with ctx.db.read() as tx:
        there = await queries.names_there(tx, names.values(), {digest_of(content) for content in contents.values()})
    taken: list[Taken] = []
    for one in incoming:
        if one.pointer in wrong:
            continue
        try:
            found = await _taken(ctx, contents.get(one.pointer), names.get(one.pointer, ""), there)
            taken.append(replace(found, source=_source(one, names)))
        except Refused as refused:
            wrong[one.pointer] = str(refused)
    if wrong:
        errors = [
            FieldError(pointer=one.pointer, message=wrong[one.pointer]) for one in incoming if one.pointer in wrong
        ]
        raise ValidationFailed("Send pictures that can be shown.", errors=errors)
    return taken


async def take_in_address(ctx: Context, url: str) -> Taken:
    """As take_in, of one address. Raises: Refused, with Unreachable among them; StoreSilent."""
    content = await _content(ctx, url)
    async with ctx.db.read() as tx:
        there = await queries.names_there(tx, (), {digest_of(content)})
    return replace(await _taken(ctx, content, "", there), source=url)


def _source(one: Incoming, names: Mapping[str, str]) -> str | None:
    """The address that it was fetched from; one of the shop's own is none."""
    return one.sent if isinstance(one.sent, str) and is_address(one.sent) and one.pointer not in names else None


async def show(tx: Tx, kind: OwnerKind, owner_id: UUID, taken: Sequence[Taken]) -> list[str]:
    """The owner shows these pictures and no others; returns their names. The caller has locked the owner.

    Raises: ValidationFailed when one of them was collected since it was taken in.
    """
    fresh = {one.name[:32]: one for one in taken if one.made is not None}
    if fresh:
        rows = [_row(digest, one, one.made) for digest, one in sorted(fresh.items()) if one.made is not None]
        await tx.execute(insert(Picture).values(rows).on_conflict_do_nothing(index_elements=[Picture.digest]))
    digests = [one.name[:32] for one in taken]
    there = await queries.held_names(tx, digests) if digests else {}
    if len(there) < len(set(digests)):
        raise ValidationFailed(
            "A picture is kept no longer.", errors=[FieldError(pointer="/images", message="send it again")]
        )
    names = [there[digest] for digest in digests]
    await _use(tx, kind, owner_id, names)
    return names


async def _use(tx: Tx, kind: OwnerKind, owner_id: UUID, names: Collection[str]) -> None:
    own = (PictureUse.owner_kind == kind, PictureUse.owner_id == owner_id)
    released = update(PictureUse).where(*own, PictureUse.released_at.is_(None))
    await tx.execute(released.where(PictureUse.name.not_in(list(names))).values(released_at=func.now()))
    if names:
        rows = [{"name": name, "owner_kind": kind, "owner_id": owner_id} for name in sorted(set(names))]
        used = insert(PictureUse).values(rows)
        keys = [PictureUse.name, PictureUse.owner_kind, PictureUse.owner_id]
        await tx.execute(used.on_conflict_do_update(index_elements=keys, set_={"released_at": None}))


def _row(digest: str, one: Taken, made: Pressed) -> dict[str, object]:
    return {
        "name": one.name,
        "digest": digest,
        "media_type": made.media_type,
        "bytes": one.content_bytes,
        "width": made.width,
        "height": made.height,
        "blur": made.blur,
        "perceptual_hash": made.perceptual_hash,
        "bands": None if made.perceptual_hash is None else bands(made.perceptual_hash),
    }


async def _read(ctx: Context, incoming: Sequence[Incoming]) -> tuple[dict[str, bytes], dict[str, str], dict[str, str]]:
    """By pointer: content, the name of what is the shop's own, and what is wrong."""
    contents: dict[str, bytes] = {}
    names: dict[str, str] = {}
    wrong: dict[str, str] = {}

    async def read(one: Incoming) -> None:
        if isinstance(one.sent, str) and (name := named_in(one.sent, ctx.settings.api_url)) is not None:
            names[one.pointer] = name
            return
        try:
            contents[one.pointer] = await _content(ctx, one.sent)
        except Refused as refused:
            wrong[one.pointer] = str(refused)

    await asyncio.gather(*map(read, incoming))
    return contents, names, wrong


async def _content(ctx: Context, sent: bytes | str) -> bytes:
    if isinstance(sent, bytes):
        content = sent
    elif sent[:4].lower() == "http":
        content = await fetched(ctx, sent)
    elif is_address(sent):
        raise Refused("is no picture of this shop")
    else:
        content = await asyncio.to_thread(_decoded, sent)
    if len(content) > ctx.settings.media_picture_bytes:
        raise Refused(f"is longer than {ctx.settings.media_picture_bytes:,} bytes")
    return content


def _decoded(text: str) -> bytes:
    """Base64 of either alphabet, with or without its padding. Raises: Refused."""
    prefix = DATA.match(text)
    plain = text[prefix.end() if prefix else 0 :].translate(_FOLDED).rstrip("=")
    try:
        return base64.b64decode(plain + "=" * (-len(plain) % 4), validate=True)
    except binascii.Error:
        raise Refused("is not base64") from None


_FOLDED = str.maketrans({"\r": None, "\n": None, "-": "+", "_": "/"})


async def _taken(ctx: Context, content: bytes | None, name: str, there: Mapping[str, str]) -> Taken:
    """Raises: Refused; StoreSilent."""
    if content is None:
        if there.get(name[:32]) != name:
            raise Refused("is no picture that this shop keeps; send the picture itself")
        return Taken(name, 0, None)
    digest = digest_of(content)
    if digest in there:
        return Taken(there[digest], len(content), None)
    made = await press_of(ctx).pressed(content)
    name = new_name(digest)
    failpoints.hit("media.before_store")
    try:
        await asyncio.to_thread(_store, store_of(ctx), name, content, made)
    except StoreFailed as error:
        raise StoreSilent("The store of pictures does not answer; nothing was changed.") from error
    failpoints.hit("media.after_store")
    return Taken(name, len(content), made)


def _store(store: ObjectStore, name: str, content: bytes, made: Pressed) -> None:
    for size, file in made.files.items():
        store.put(size_key(name, f"{size}.webp"), file)
    store.put(original_key(name), content)
