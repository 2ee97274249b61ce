"""The picture of a label: 4 x 6 inch, the same bytes each time. Drawing knows no order: everything on it is given."""

from dataclasses import dataclass
from datetime import date

from api.documents.picture import png
from api.documents.sheet import LABEL_4X6, Sheet
from api.documents.text import wrapped
from api.shipping.carriers.interface import Place

_MARGIN = 14.0
_RIGHT = LABEL_4X6.width - _MARGIN
_WIDTH = _RIGHT - _MARGIN
_LEADING = 1.3


@dataclass(frozen=True, slots=True)
class LabelOnPaper:
    """What a label says."""

    carrier: str
    service: str
    sender: Place
    recipient: Place
    tracking_number: str
    weight_grams: int
    reference: str
    promised_on: date | None


def as_pdf(label: LabelOnPaper) -> bytes:
    """The label as a document of one page."""
    sheet = Sheet(LABEL_4X6, f"Label {label.tracking_number}", label.carrier)
    sheet.words(_MARGIN, 30, label.carrier.upper(), size=16, bold=True)
    sheet.words(_RIGHT, 30, label.service, size=10, align="right")
    sheet.line(_MARGIN, 40, _RIGHT, 40, width=1.5)
    sheet.words(_MARGIN, 54, "From", size=7, gray=0.45)
    _place(sheet, 66, label.sender, (8.0, 7.0, 6.0), until=106)
    sheet.line(_MARGIN, 112, _RIGHT, 112)
    sheet.words(_MARGIN, 128, "To", size=8, bold=True)
    _place(sheet, 146, label.recipient, (13.0, 11.0, 9.0, 7.0), until=256)
    sheet.line(_MARGIN, 262, _RIGHT, 262)
    sheet.words(_MARGIN, 278, f"{label.weight_grams / 1000:.2f} kg", size=10, bold=True)
    sheet.words(LABEL_4X6.width / 2, 278, label.reference, size=8, align="center")
    if label.promised_on is not None:
        sheet.words(_RIGHT, 278, f"by {label.promised_on.isoformat()}", size=8, align="right")
    sheet.line(_MARGIN, 290, _RIGHT, 290, width=1.5)
    sheet.bars(_MARGIN, 304, label.tracking_number, _WIDTH, 80)
    sheet.words(LABEL_4X6.width / 2, 402, label.tracking_number, size=12, bold=True, align="center")
    return sheet.pdf()


def as_png(label: LabelOnPaper) -> bytes:
    """The same as a picture, for a label printer of 203 dots per inch."""
    return png(as_pdf(label))


def _place(sheet: Sheet, y: float, place: Place, sizes: tuple[float, ...], *, until: float) -> None:
    """Name, street, town and country, each where there is one, in the largest of `sizes` in which all of it fits."""
    town = " ".join(part for part in (place.city, place.state, place.zip_code) if part)
    lines = ((place.name, True), (place.street, False), (town, False), (place.country, True))
    there = [(words, bold) for words, bold in lines if words]

    def height(size: float) -> float:
        return sum(len(wrapped(words, _WIDTH, size, bold=bold)) for words, bold in there) * size * _LEADING

    size = next((size for size in sizes if y + height(size) <= until), sizes[-1])
    for words, bold in there:
        y = sheet.paragraph(_MARGIN, y, words, _WIDTH, size=size, bold=bold, leading=_LEADING)
