"""Compression of answers: whole bodies of at least 1,000 bytes, for clients that accept gzip.

What is packed already passes as it is, so a page that is kept packed is packed once.
"""

import asyncio
import zlib

from starlette.types import Message

MIN_BYTES = 1_000
# From here on compressing would hold the event loop for milliseconds, so a thread does it.
THREAD_BYTES = 128 * 1024
LEVEL = 6
_GZIP = 16 + zlib.MAX_WBITS
_VARY = (b"vary", b"Accept-Encoding")
# Bodies of these types gain nothing: they are packed by their own format.
_PACKED = (b"image/jpeg", b"image/png", b"image/webp", b"image/gif", b"image/avif", b"video/", b"audio/", b"font/woff")


class Compression:
    """Decides about one answer. The start of an answer that may be compressed is held until its body is known."""

    __slots__ = ("_accepted", "start")

    def __init__(self, accepted: bytes) -> None:
        """`accepted`: the client's Accept-Encoding."""
        self._accepted = accepted
        self.start: Message | None = None

    def holds(self, start: Message) -> bool:
        """Whether to send the start only after `compress` was asked about the body: it may be compressed, or its size
        decides."""
        length = 0
        for name, value in start["headers"]:
            if name == b"content-encoding" or (name == b"content-type" and value.startswith(_PACKED)):
                return False
            if name == b"content-length":
                length = int(value)
        if length < MIN_BYTES or start["status"] == 206:
            return False
        self.start = start
        return True

    async def compress(self, body: Message) -> None:
        """Pack a whole body, and say so in the start."""
        start, self.start = self.start, None
        if start is None or body["type"] != "http.response.body":
            return
        headers = [*start["headers"]]
        varies = [index for index, (name, _) in enumerate(headers) if name == b"vary"]
        if not varies:
            headers.append(_VARY)
        elif b"accept-encoding" not in headers[varies[0]][1].lower():
            headers[varies[0]] = (b"vary", headers[varies[0]][1] + b", Accept-Encoding")
        if b"gzip" in self._accepted and not body.get("more_body", False):
            plain = body["body"]
            packed = await asyncio.to_thread(_pack, plain) if len(plain) >= THREAD_BYTES else _pack(plain)
            headers = [header for header in headers if header[0] != b"content-length"]
            headers += [(b"content-encoding", b"gzip"), (b"content-length", b"%d" % len(packed))]
            body["body"] = packed
        start["headers"] = headers


def _pack(plain: bytes) -> bytes:
    packer = zlib.compressobj(LEVEL, zlib.DEFLATED, _GZIP)
    return packer.compress(plain) + packer.flush()
