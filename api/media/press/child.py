"""The process that makes pictures: reads a request, writes an answer, until its input ends.

It has no secrets, opens no file for writing, and may take MEMORY bytes.
"""

import os
import resource
import sys
from typing import Any, BinaryIO

import orjson

from api.media.press.formats import Refused
from api.media.press.frames import HEAD, frame, lengths
from api.media.press.sizes import pressed

# Address space: a picture of MOST_PIXELS takes half of it.
MEMORY = 1024 * 1024 * 1024


def serve(requests: BinaryIO, answers: BinaryIO) -> None:
    """Answer until the input ends."""
    while len(prefix := requests.read(HEAD)) == HEAD:
        head_length, body_length = lengths(prefix)
        head = orjson.loads(requests.read(head_length))
        answers.write(answer(head, requests.read(body_length)))
        answers.flush()


def answer(head: dict[str, Any], body: bytes) -> bytes:  # Any: JSON
    """The frame that answers a request: `refused` says why there is no picture."""
    try:
        made = pressed(body)
    except Refused as error:
        return frame({"refused": str(error)})
    files = {str(size): len(content) for size, content in made.files.items()}
    about = {name: getattr(made, name) for name in ("media_type", "width", "height", "blur", "perceptual_hash")}
    return frame({**about, "files": files}, b"".join(made.files.values()))


def main() -> None:
    os.nice(5)  # pages go first
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    serve(sys.stdin.buffer, sys.stdout.buffer)


if __name__ == "__main__":
    main()
