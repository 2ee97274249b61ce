"""The shop's side of the process that makes pictures.

Decoding is work for the processor, and content may be made to break decoders. So it happens in a process of its own
with a limit of memory and of time: the event loop goes on, and what breaks is that process, which is started anew.
"""

import asyncio
import sys

from pydantic import BaseModel, Field, ValidationError

from api.kernel.context import Context
from api.kernel.environment import ROOT
from api.kernel.logs import get_logger
from api.media.naming import LARGEST
from api.media.press.formats import Refused
from api.media.press.frames import HEAD, frame, lengths
from api.media.press.perceptual import BITS
from api.media.press.sizes import Pressed

log = get_logger(__name__)

SECONDS = 30.0


class _Answer(BaseModel):
    """The head of an answer: why there is no picture, or what there is of it."""

    refused: str | None = Field(default=None, max_length=300)
    media_type: str = Field(default="", max_length=30)
    width: int = Field(default=1, gt=0, le=LARGEST)
    height: int = Field(default=1, gt=0, le=LARGEST)
    blur: str = Field(default="", max_length=2_000)
    perceptual_hash: int | None = Field(default=None, ge=0, lt=1 << BITS)
    files: dict[int, int] = Field(default_factory=dict)


class Press:
    """One picture at a time. The process is started by the first."""

    def __init__(self, module: str = "api.media.press.child", seconds: float = SECONDS) -> None:
        self._module = module
        self._seconds = seconds
        self._child: asyncio.subprocess.Process | None = None
        self._turn = asyncio.Lock()

    async def pressed(self, content: bytes) -> Pressed:
        """Every size of the picture in `content`. Raises: Refused."""
        return await self._ask({"do": "press"}, content)

    async def close(self) -> None:
        async with self._turn:
            await self._end()

    async def _ask(self, head: dict[str, str], body: bytes) -> Pressed:
        async with self._turn:
            whole = False
            try:
                async with asyncio.timeout(self._seconds):
                    answer = await self._exchange(frame(head, body))
                whole = True
                return _read(*answer)
            except TimeoutError:
                raise Refused("takes too long to decode") from None
            except (asyncio.IncompleteReadError, ConnectionError, ValueError):
                log.warning("the process that makes pictures has died, or answers as none of ours does")
                raise Refused("cannot be decoded") from None
            finally:
                # Also when the request was cancelled: the next one must not read its answer.
                if not whole:
                    await asyncio.shield(self._end())

    async def _exchange(self, request: bytes) -> tuple[bytes, bytes]:
        if self._child is None or self._child.returncode is not None:
            self._child = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", self._module),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                cwd=ROOT,
                env={},  # none of the shop's keys
            )
        child = self._child
        assert child.stdin is not None
        assert child.stdout is not None
        child.stdin.write(request)
        await child.stdin.drain()
        head, body = lengths(await child.stdout.readexactly(HEAD))
        return await child.stdout.readexactly(head), await child.stdout.readexactly(body)

    async def _end(self) -> None:
        child, self._child = self._child, None
        if child is None:
            return
        if child.returncode is None:
            child.kill()
        await child.communicate()


def press_of(ctx: Context) -> Press:
    """The press of this process."""
    return ctx.held.of(Press, Press, Press.close)


def _read(head: bytes, body: bytes) -> Pressed:
    """Raises: Refused, also for an answer that is not as ours are."""
    try:
        answer = _Answer.model_validate_json(head)
    except ValidationError:
        raise Refused("cannot be decoded") from None
    if answer.refused is not None:
        raise Refused(answer.refused)
    files, start = {}, 0
    for size, length in answer.files.items():
        files[size] = body[start : start + length]
        start += length
        if files[size][:4] != b"RIFF" or files[size][8:12] != b"WEBP":
            raise Refused("cannot be decoded")
    return Pressed(answer.media_type, answer.width, answer.height, answer.blur, answer.perceptual_hash, files)
