"""A page of a document as a picture."""

import io
import threading

from api.documents.sheet import POINTS_PER_INCH

# The library draws one page at a time.
_DRAWING = threading.Lock()
# Dots per inch of a label printer.
PRINTER = 203


def png(pdf: bytes, *, page: int = 0, dots_per_inch: int = PRINTER) -> bytes:
    """The page (from 0), in grays."""
    import pypdfium2

    made = io.BytesIO()
    with _DRAWING:
        document = pypdfium2.PdfDocument(pdf)
        try:
            bitmap = document[page].render(scale=dots_per_inch / POINTS_PER_INCH, grayscale=True)
            bitmap.to_pil().save(made, "PNG", dpi=(dots_per_inch, dots_per_inch))
        finally:
            document.close()
    return made.getvalue()
