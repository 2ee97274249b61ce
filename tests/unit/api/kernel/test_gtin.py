"""Trade item numbers: their check digit, and one text for each article."""

import re

import pytest
from pydantic import TypeAdapter, ValidationError

from api.kernel.gtin import RESTRICTED, Gtin, check_digit

READ = TypeAdapter(Gtin)


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ("4006381333931", "04006381333931"),  # EAN-13
        ("036000291452", "00036000291452"),  # UPC-A
        ("0036000291452", "00036000291452"),  # the same as an EAN-13
        ("96385074", "00000096385074"),  # EAN-8
        ("10614141000415", "10614141000415"),  # a case of several
        ("978-0-306-40615-7", "09780306406157"),  # ISBN-13 as it is printed
        (" ４００６３８１３３３９３１ ", "04006381333931"),
    ],
)
def test_a_number_is_kept_as_fourteen_digits(sent: str, kept: str) -> None:
    assert READ.validate_python(sent) == kept
    assert READ.validate_python(kept) == kept


@pytest.mark.parametrize(
    ("sent", "said"),
    [
        ("4006381333930", "its last digit would be 1"),
        ("4006381333913", "its last digit would be 7"),
        ("36000291452", "must be 8, 12, 13 or 14 digits"),  # a spreadsheet took the zero
        ("4.00638E+12", "must be 8, 12, 13 or 14 digits"),
        ("", "must be 8, 12, 13 or 14 digits"),
        ("٠١٢٣٤٥٦٧", "must be 8, 12, 13 or 14 digits"),
        ("0000000000000", "must not be zeros only"),
    ],
)
def test_what_is_no_number_is_refused_with_words(sent: str, said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        READ.validate_python(sent)


def test_every_wrong_digit_and_most_swapped_neighbours_are_seen() -> None:
    right = "4006381333931"
    for place in range(len(right)):
        for digit in "0123456789":
            if digit != right[place]:
                wrong = right[:place] + digit + right[place + 1 :]
                assert check_digit(wrong[:-1]) != int(wrong[-1])


@pytest.mark.parametrize(
    ("number", "restricted"),
    [
        ("2000000000008", True),  # within a company
        ("0200000000004", True),  # weighed goods
        ("0400000000008", True),
        ("20000004", True),  # of eight digits
        ("00000017", True),
        ("4006381333931", False),
        ("0100000000007", False),
        ("0300000000001", False),
        ("96385074", False),
        ("036000291452", False),
        ("10614141000415", False),
        ("9780306406157", False),
    ],
)
def test_numbers_that_companies_give_out_for_themselves_are_known(number: str, restricted: bool) -> None:
    assert bool(re.search(RESTRICTED, READ.validate_python(number))) is restricted
