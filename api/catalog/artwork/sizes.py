"""Sizes of drawn pictures: made when one is first asked for, and kept with the other pictures."""

import asyncio
import io

import resvg_py
from PIL import Image

from api.catalog.artwork.drawing import Subject
from api.kernel.context import Context
from api.media.errors import StoreSilent
from api.media.naming import drawn_key
from api.media.press.sizes import encoded
from api.media.store.interface import ObjectStore, StoreFailed
from api.media.store.opening import store_of

# One size costs up to a quarter of a second of a core, which requests of other people need too.
_AT_A_TIME = asyncio.Semaphore(1)


async def drawn_size(ctx: Context, subject: Subject, size: int) -> bytes:
    """The picture as WebP of `size` pixels a side. Raises: StoreSilent."""
    store, key = store_of(ctx), drawn_key(subject.digest, size)
    try:
        content = await asyncio.to_thread(store.get, key)
        if content is not None:
            return content
        async with _AT_A_TIME:
            return await asyncio.to_thread(_draw, store, key, subject, size)
    except StoreFailed as error:
        raise StoreSilent("The store of pictures does not answer.") from error


def _draw(store: ObjectStore, key: str, subject: Subject, size: int) -> bytes:
    # Whoever waited for somebody else who asked for the same finds it here.
    content = store.get(key)
    if content is None:
        content = raster(subject, size)
        store.put(key, content)
    return content


def raster(subject: Subject, size: int) -> bytes:
    """The drawing as WebP of `size` pixels a side."""
    png = resvg_py.svg_to_bytes(svg_string=subject.draw(), width=size, height=size, skip_system_fonts=True)
    with Image.open(io.BytesIO(bytes(png))) as image:
        return encoded(image.convert("RGB"), (size,))[size]
