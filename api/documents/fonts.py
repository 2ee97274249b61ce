"""The fonts of a page, each from a wheel and embedded in the document, so that it looks the same everywhere.

Loaded when the first document is drawn, never by the import of this module: a process that draws none pays nothing.
Two kinds: those with TrueType outlines are embedded by the PDF writer, which takes the glyphs it needs. Those with
PostScript outlines it cannot read: for each document their needed glyphs are made into a small TrueType font.
"""

import io
from collections.abc import Iterable, Iterator
from functools import cache
from itertools import groupby
from typing import Any

# Asked in this order for each character; names of the wheel `pymupdf-fonts`: Noto Sans and FiraGO, then Noto's signs of
# mathematics and its symbols. What has PostScript outlines has no bold face: in bold words it is as dark as in others.
_REGULAR, _BOLD = ("notos", "figo"), ("notosbo", "figbo")
# Han, kana and hangul.
_EAST_ASIAN = "NotoSansCJKjp"
_POSTSCRIPT = ("math", "symbol2", _EAST_ASIAN)


@cache
def _widths(name: str) -> dict[int, float]:
    """The characters of a font and their widths in 1/1000 em."""
    if name not in _POSTSCRIPT:
        return _true_type(name)
    font = _postscript(name)
    scale, metrics = 1000 / font["head"].unitsPerEm, font["hmtx"].metrics
    return {code: metrics[glyph][0] * scale for code, glyph in font.getBestCmap().items()}


def _true_type(name: str) -> dict[int, float]:
    """Register the font for all documents."""
    from reportlab.pdfbase import pdfmetrics
    from reportlab.pdfbase.ttfonts import TTFont

    font = TTFont(name, io.BytesIO(_data(name)), shapable=False)
    pdfmetrics.registerFont(font)
    return dict(font.face.charWidths)


@cache
def _postscript(name: str) -> Any:  # Any: fontTools has no types
    from fontTools.ttLib import TTFont

    return TTFont(io.BytesIO(_data(name)), lazy=True)


def _data(name: str) -> bytes:
    if name == _EAST_ASIAN:
        from noto_cjk_sans_jp_regular import FONT_PATH

        return bytes(FONT_PATH.read_bytes())
    from pymupdf_fonts import fontbuffers

    return bytes(fontbuffers[name]())


@cache
def _of(character: str, bold: bool) -> tuple[str, float] | None:
    """The font that has `character` and its width there; None when no font has it."""
    for name in (*(_BOLD if bold else _REGULAR), *_POSTSCRIPT):
        width = _widths(name).get(ord(character))
        if width is not None:
            return name, width
    return None


def has(character: str) -> bool:
    """Whether some font has `character`."""
    return _of(character, bold=False) is not None


def _font_of(character: str, bold: bool) -> tuple[str, float]:
    found = _of(character, bold)
    if found is None:
        raise AssertionError(f"U+{ord(character):04X} was not replaced before it was drawn")
    return found


def width_of(shown: str, size: float, *, bold: bool = False) -> float:
    """The width in points of text as it is drawn (`text.shown`)."""
    return sum(_font_of(character, bold)[1] for character in shown) * size / 1000


def runs(shown: str, *, bold: bool = False) -> Iterator[tuple[str, str]]:
    """`shown` in pieces of one font each: (font, piece)."""
    for font, piece in groupby(shown, key=lambda character: _font_of(character, bold)[0]):
        yield font, "".join(piece)


def prepare(pieces: Iterable[tuple[str, str]]) -> None:
    """Register small TrueType fonts of what one document needs of the fonts with PostScript outlines, until the next
    call."""
    needed: dict[str, set[str]] = {}
    for font, piece in pieces:
        if font in _POSTSCRIPT:
            needed.setdefault(font, set()).update(piece)
    for font, characters in sorted(needed.items()):
        _register_part(font, sorted(characters))


def _register_part(name: str, characters: list[str]) -> None:
    from reportlab.pdfbase import pdfmetrics
    from reportlab.pdfbase.ttfonts import TTFont

    source = _postscript(name)
    every = source.getBestCmap()
    cmap = {ord(character): every[ord(character)] for character in characters}
    order = [".notdef", *dict.fromkeys(cmap.values())]
    font = TTFont(name, io.BytesIO(_part(name, source, cmap, order)), shapable=False)
    # Registering keeps the first font of a name for ever.
    for registry, key in ((pdfmetrics._fonts, name), (pdfmetrics._dynFaceNames, font.face.name)):  # noqa: SLF001 - no other way
        registry.pop(key, None)
    pdfmetrics.registerFont(font)


def _part(name: str, source: Any, cmap: dict[int, str], order: list[str]) -> bytes:  # Any: as above
    """A TrueType font of the glyphs `order`, whose curves differ from the source's by 1/1000 em at most."""
    from fontTools.fontBuilder import FontBuilder

    metrics, heights = source["hmtx"].metrics, source["hhea"]
    builder = FontBuilder(source["head"].unitsPerEm, isTTF=True)
    builder.setupGlyphOrder(order)
    builder.setupCharacterMap(cmap)
    builder.setupGlyf(_outlines(source, order))
    builder.setupHorizontalMetrics({glyph: metrics[glyph] for glyph in order})
    builder.setupHorizontalHeader(ascent=heights.ascent, descent=heights.descent)
    builder.setupNameTable({"familyName": name, "styleName": "Regular", "psName": name})
    builder.setupOS2(sTypoAscender=heights.ascent, sTypoDescender=heights.descent)
    builder.setupPost()
    builder.font.recalcTimestamp = False
    builder.font["head"].created = builder.font["head"].modified = 0
    made = io.BytesIO()
    builder.save(made)
    return made.getvalue()


def _outlines(source: Any, order: list[str]) -> dict[str, Any]:  # Any: as above
    from fontTools.pens.cu2quPen import Cu2QuPen
    from fontTools.pens.ttGlyphPen import TTGlyphPen

    glyphs, found = source.getGlyphSet(), {}
    for name in order:
        pen = TTGlyphPen(None)
        glyphs[name].draw(Cu2QuPen(pen, max_err=1.0, reverse_direction=True))
        found[name] = pen.glyph()
    return found
