"""A document: what stands where on its pages, and its bytes.

Lengths are points (1/72 inch) from the top left corner. Nothing is drawn before `pdf`, so that a page may say how many
there are. The bytes depend on the content and on the versions of the wheels only: no time, no random id, and no
compression, whose result differs between builds of zlib.
"""

import io
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Literal

from api.documents import fonts, text

Align = Literal["left", "right", "center"]
POINTS_PER_INCH = 72.0
INK, GRAY, LIGHT = 0.0, 0.45, 0.8
# Fonts are registered for the process, and one of them is another for each document.
_DRAWING = threading.Lock()


@dataclass(frozen=True, slots=True)
class Size:
    width: float
    height: float


A4 = Size(595.28, 841.89)
LABEL_4X6 = Size(4 * POINTS_PER_INCH, 6 * POINTS_PER_INCH)


@dataclass(frozen=True, slots=True)
class _Words:
    x: float
    y: float
    shown: str
    size: float
    bold: bool
    gray: float


@dataclass(frozen=True, slots=True)
class _Line:
    x: float
    y: float
    to_x: float
    to_y: float
    width: float
    gray: float


@dataclass(frozen=True, slots=True)
class _Box:
    x: float
    y: float
    width: float
    height: float
    fill: float | None
    line: float


@dataclass(frozen=True, slots=True)
class _Bars:
    x: float
    y: float
    value: str
    width: float
    height: float


_Mark = _Words | _Line | _Box | _Bars


@dataclass(slots=True)
class Sheet:
    """Pages of one size, filled from the top; `title` and `author` are the file's properties."""

    size: Size
    title: str
    author: str
    _pages: list[list[_Mark]] = field(default_factory=lambda: [[]])

    @property
    def pages(self) -> int:
        return len(self._pages)

    def new_page(self) -> None:
        self._pages.append([])

    def words(
        self,
        x: float,
        y: float,
        words: str,
        *,
        size: float = 9,
        bold: bool = False,
        align: Align = "left",
        gray: float = INK,
        page: int | None = None,
    ) -> None:
        """One line whose base is at `y`; `x` is its left end, its right end or its middle. Of the last page, or `page`
        (from 0)."""
        self.drawn(x, y, text.shown(text.clean(words)), size=size, bold=bold, align=align, gray=gray, page=page)

    def paragraph(
        self,
        x: float,
        y: float,
        words: str,
        width: float,
        *,
        size: float = 9,
        bold: bool = False,
        align: Align = "left",
        gray: float = INK,
        leading: float = 1.3,
        most: int | None = None,
    ) -> float:
        """Lines of `width`, the first one's base at `y`; returns the base of the line that would follow."""
        edge = {"left": x, "right": x + width, "center": x + width / 2}[align]
        for line in text.wrapped(words, width, size, bold=bold, most=most):
            self.drawn(edge, y, line, size=size, bold=bold, align=align, gray=gray)
            y += size * leading
        return y

    def drawn(
        self,
        x: float,
        y: float,
        shown: str,
        *,
        size: float,
        bold: bool = False,
        align: Align = "left",
        gray: float = INK,
        page: int | None = None,
    ) -> None:
        """The same for text that `text.wrapped` has put in the order of the pen."""
        wide = fonts.width_of(shown, size, bold=bold)
        left = {"left": x, "right": x - wide, "center": x - wide / 2}[align]
        self._pages[-1 if page is None else page].append(_Words(left, y, shown, size, bold, gray))

    def line(self, x: float, y: float, to_x: float, to_y: float, *, width: float = 0.6, gray: float = INK) -> None:
        self._pages[-1].append(_Line(x, y, to_x, to_y, width, gray))

    def box(
        self, x: float, y: float, width: float, height: float, *, fill: float | None = None, line: float = 0.6
    ) -> None:
        """A rectangle from its top left corner; `fill` is a gray, `line` the width of its border (0: none)."""
        self._pages[-1].append(_Box(x, y, width, height, fill, line))

    def bars(self, x: float, y: float, value: str, width: float, height: float) -> None:
        """`value` (ASCII) as a bar code of Code 128 from its top left corner, as wide as `width` allows."""
        if not value.isascii() or not value.isprintable() or not value:
            raise ValueError(f"a bar code holds printable ASCII, not {value!r}")
        self._pages[-1].append(_Bars(x, y, value, width, height))

    def pdf(self) -> bytes:
        """The document."""
        from reportlab.pdfgen.canvas import Canvas

        made = io.BytesIO()
        with _DRAWING:
            fonts.prepare(self._runs())
            canvas = Canvas(made, (self.size.width, self.size.height), pageCompression=0, invariant=1)
            canvas.setTitle(text.clean(self.title))
            canvas.setAuthor(text.clean(self.author))
            canvas.setCreator("Souk")
            for page in self._pages:
                for mark in page:
                    self._draw(canvas, mark)
                canvas.showPage()
            canvas.save()
        return made.getvalue()

    def _runs(self) -> Iterator[tuple[str, str]]:
        for page in self._pages:
            for mark in page:
                if isinstance(mark, _Words):
                    yield from fonts.runs(mark.shown, bold=mark.bold)

    def _draw(self, canvas: Any, mark: _Mark) -> None:  # Any: reportlab has no types
        match mark:
            case _Words(x, y, shown, size, bold, gray):
                canvas.setFillGray(gray)
                for font, piece in fonts.runs(shown, bold=bold):
                    canvas.setFont(font, size)
                    canvas.drawString(x, self.size.height - y, piece)
                    x += fonts.width_of(piece, size, bold=bold)
            case _Line(x, y, to_x, to_y, width, gray):
                canvas.setStrokeGray(gray)
                canvas.setLineWidth(width)
                canvas.line(x, self.size.height - y, to_x, self.size.height - to_y)
            case _Box(x, y, width, height, fill, line):
                canvas.setStrokeGray(INK)
                canvas.setLineWidth(line)
                if fill is not None:
                    canvas.setFillGray(fill)
                canvas.rect(
                    x, self.size.height - y - height, width, height, stroke=int(line > 0), fill=fill is not None
                )
            case _Bars(x, y, _, _, height):
                canvas.setFillGray(INK)
                _code128(mark).drawOn(canvas, x, self.size.height - y - height)


def _code128(bars: _Bars) -> Any:  # Any: as above
    from reportlab.graphics.barcode.code128 import Code128

    # Its width is proportional to that of one bar.
    units = Code128(bars.value, barWidth=1, barHeight=bars.height, quiet=0).width
    return Code128(bars.value, barWidth=bars.width / units, barHeight=bars.height, quiet=0)
