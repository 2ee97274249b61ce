"""Pages on paper: the same bytes for the same content, every script, nothing lost, tables over several pages."""

import hashlib
import io
import subprocess
import sys
from itertools import pairwise

import pypdfium2
import pytest
from PIL import Image

from api.documents import fonts, text
from api.documents.picture import png
from api.documents.sheet import A4, LABEL_4X6, Sheet
from api.documents.table import Column, Place, table

SCRIPTS = (
    "Ärger ŁÓDŹ Tiếng Việt",
    "Ωμέγα Київ £€₹",
    "東京都渋谷区 ひらがな カタカナ",
    "简体 繁體 서울 한국어",
    "สวัสดี ประเทศไทย",
    "नमस्ते",
    "ქართული → ★ ₿",
)


def words_of(pdf: bytes) -> list[str]:
    """The text of each page, without the spaces that a reader guesses."""
    document = pypdfium2.PdfDocument(pdf)
    return [
        document[number].get_textpage().get_text_range().replace(" ", "").replace("\r\n", "")
        for number in range(len(document))
    ]


def label(*lines: str) -> Sheet:
    sheet = Sheet(LABEL_4X6, "label", "Souk")
    y = 30.0
    for line in lines:
        y = sheet.paragraph(15, y, line, 258, size=11)
    return sheet


def test_every_script_is_on_the_page_and_in_its_text() -> None:
    assert words_of(label(*SCRIPTS).pdf()) == ["".join(SCRIPTS).replace(" ", "")]


def test_the_same_content_gives_the_same_bytes_whatever_was_drawn_before() -> None:
    first = label(*SCRIPTS).pdf()
    assert words_of(label("漢字 ∑").pdf()) == ["漢字∑"]
    assert label(*SCRIPTS).pdf() == first
    assert label(*SCRIPTS, "x").pdf() != first


def test_the_bytes_are_those_of_another_process_and_of_years_ago() -> None:
    """A version of a wheel that draws otherwise fails here: documents of the past would get other bytes with it."""
    sheet = label("Ärger 東京", "مرحبا 12")
    sheet.bars(20, 200, "1Z999AA10123456784", 240, 50)
    found = hashlib.sha256(sheet.pdf()).hexdigest()
    assert found == "ce1d0ee1a59969aeaf20775abe660e054a6872014b5bffe2a942a9f1034cf3aa"


def test_right_to_left_words_are_drawn_in_the_order_of_the_pen_in_joined_forms() -> None:
    assert text.shown("שלום 42") == "42 םולש"
    # Initial, medial, final: the forms that the letters take in their word.
    assert text.shown("سلم") == "\ufee2\ufee0\ufeb3"
    assert text.shown("رقم (ABC)") == "(ABC) \ufee2\ufed7ر"


def test_what_no_font_has_is_written_as_its_code_point() -> None:
    assert text.shown("a😀ব") == "a[U+1F600][U+09AC]"


def test_what_has_no_picture_is_left_out_and_cannot_turn_a_line_around() -> None:
    assert text.clean("a\u202eb\x00c\u200b\ufe0f  d\n\te\u0301") == "abc d é"


def test_lines_end_between_words_between_characters_of_han_and_within_words_that_are_too_long() -> None:
    width = fonts.width_of("東京都", 10)
    assert text.wrapped("東京都渋谷区", width, 10) == ["東京都", "渋谷区"]
    assert text.wrapped("one two", fonts.width_of("one t", 10), 10) == ["one", "two"]
    assert text.wrapped("iiiiiiii", fonts.width_of("iiii", 10), 10) == ["iiii", "iiii"]
    assert text.wrapped("one two three", fonts.width_of("one tw", 10), 10, most=2) == ["one", "two…"]
    assert text.wrapped("", 10, 10) == [""]
    assert text.wrapped("a\n\nb  c", 100, 10) == ["a", "b c"]


def test_a_table_goes_on_with_its_head_on_each_page_and_loses_no_row() -> None:
    sheet = Sheet(A4, "table", "Souk")

    def next_page() -> float:
        sheet.new_page()
        return 40

    rows = [(f"r{number}", f"{'long words ' * (number % 9)}end{number}") for number in range(120)]
    end = table(sheet, Place(40, 40, 780), (Column("No", 60), Column("Words", 150, "right")), rows, next_page)
    pages = words_of(sheet.pdf())
    assert len(pages) == sheet.pages == 5
    assert all(page.startswith("NoWords") for page in pages)
    everything = "".join(page.removeprefix("NoWords") for page in pages)
    assert everything == "".join(f"{first}{second}".replace(" ", "") for first, second in rows)
    assert 40 < end <= 780


def test_a_row_that_is_higher_than_a_page_is_cut_short_visibly() -> None:
    sheet = Sheet(A4, "table", "Souk")
    table(sheet, Place(40, 40, 780), (Column("Words", 60),), [("word " * 2_000,)], lambda: 40)
    assert words_of(sheet.pdf())[0].endswith("…")


def test_a_label_is_a_picture_of_four_by_six_inches_for_a_printer() -> None:
    sheet = label("To: 東京")
    sheet.bars(20, 100, "SOUK-1", 240, 50)
    picture = Image.open(io.BytesIO(png(sheet.pdf())))
    assert (picture.size, picture.mode, picture.format) == ((812, 1218), "L", "PNG")
    # A line across the bar code: Code 128 of six characters has 11 bars and spaces for each of 6 + start + check, and
    # the stop sign.
    y = int(125 / 72 * 203)
    dark = [value < 128 for value in picture.crop((0, y, picture.width, y + 1)).tobytes()]
    edges = sum(before != after for before, after in pairwise(dark))
    assert edges == 6 * (6 + 2) + 8


@pytest.mark.parametrize("value", ["", "ä", "a\n"])
def test_a_bar_code_of_what_it_cannot_hold_is_refused(value: str) -> None:
    with pytest.raises(ValueError, match="printable ASCII"):
        label().bars(0, 0, value, 100, 20)


def test_a_process_that_draws_nothing_loads_nothing() -> None:
    code = (
        "import sys, api.documents.sheet, api.documents.table, api.documents.picture;"
        "print(sorted({name.split('.')[0] for name in sys.modules} & {'reportlab', 'PIL', 'fontTools', 'pypdfium2',"
        " 'pymupdf_fonts', 'noto_cjk_sans_jp_regular', 'arabic_reshaper', 'bidi'}))"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"
