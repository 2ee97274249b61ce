"""The lines of a UTF-8 file, with where each one ends, so that reading can go on from there."""

from dataclasses import dataclass
from typing import BinaryIO

BLOCK = 1 << 18
# Of one row. The longest product that the API takes is shorter.
MAX_RECORD_BYTES = 2 << 20
BOM = b"\xef\xbb\xbf"


@dataclass(frozen=True, slots=True)
class Place:
    """Between two rows of a file: the bytes, rows and lines before it."""

    at: int = 0
    row: int = 0
    line: int = 0


@dataclass(frozen=True, slots=True)
class Broken:
    """A byte that is no UTF-8: the `byte`-th of its line, both counted from 1."""

    line: int
    byte: int
    value: int


class TooLong(ValueError):
    """A row, or what a quotation mark opened, goes on for more than MAX_RECORD_BYTES."""


class Lines:
    """An iterator over lines that end with LF, CRLF or CR, each with its ending.

    A line that is no UTF-8 is given with its broken bytes as half characters, and noted in `broken`.
    """

    def __init__(self, file: BinaryIO, place: Place) -> None:
        self._file = file
        self.go_to(place)

    def go_to(self, place: Place) -> None:
        """Read on from there."""
        self._file.seek(place.at)
        self._rest, self._pieces, self._ended = b"", iter(list[bytes]()), False
        self.at, self.line = place.at, place.line
        self.begin()

    def begin(self) -> None:
        """A row begins with the next line."""
        self.broken: Broken | None = None
        self.after_first: tuple[int, int] | None = None  # byte and line
        self._size = 0

    def __iter__(self) -> "Lines":
        return self

    def __next__(self) -> str:
        """Raises: TooLong, after which the next line is the one after."""
        piece = self._piece()
        self.at += len(piece)
        self.line += 1
        self._size += len(piece)
        if self.after_first is None:
            self.after_first = self.at, self.line
        if self._size > MAX_RECORD_BYTES:
            raise TooLong
        try:
            return piece.decode()
        except UnicodeDecodeError as error:
            if self.broken is None:
                self.broken = Broken(self.line, error.start + 1, piece[error.start])
            return piece.decode(errors="surrogateescape")

    def _piece(self) -> bytes:
        while True:
            found: bytes | None = next(self._pieces, None)
            if found is not None:
                return found
            if self._ended:
                raise StopIteration
            self._fill()

    def _fill(self) -> None:
        """Cut the next block. What has no ending yet waits for more: a CR may be half of CRLF."""
        block = self._file.read(BLOCK)
        self._ended = not block
        pieces = (self._rest + block).splitlines(keepends=True)
        self._rest = b""
        if block and pieces and not pieces[-1].endswith(b"\n"):
            self._rest = pieces.pop()
            if len(self._rest) > MAX_RECORD_BYTES + BLOCK:
                pieces = [self._skip()]  # it began in an earlier block, so it is the only one
        self._pieces = iter(pieces)

    def _skip(self) -> bytes:
        """The beginning of a line that is too long; the rest is passed over, so that it is never whole in memory."""
        kept = self._rest[: MAX_RECORD_BYTES + 1]
        self.at += len(self._rest) - len(kept)
        self._rest = b""
        while block := self._file.read(BLOCK):
            first = block.splitlines(keepends=True)[0]
            if first.endswith((b"\n", b"\r")):
                self.at += len(first)
                self._file.seek(len(first) - len(block), 1)
                break
            self.at += len(block)
        else:
            self._ended = True
        return kept
