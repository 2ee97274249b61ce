"""A mailed token is the shop's own, whole and unchanged, or it is nothing."""

from uuid import UUID

import pytest

from api.mail.tokens import LENGTH, id_of, token_of
from tests.unit.api.kernel.keys import made_up_keys

KEYS = made_up_keys()
ID = UUID("01890000-0000-7000-8000-000000000001")
TOKEN = token_of(KEYS, ID)
ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"


def test_a_token_names_its_id() -> None:
    assert (len(TOKEN), id_of(KEYS, TOKEN)) == (LENGTH, ID)
    assert token_of(KEYS, ID) == TOKEN


def test_no_other_text_is_a_token() -> None:
    """Every change of one character, the last one's unused bits included."""
    changed = {TOKEN[:at] + other + TOKEN[at + 1 :] for at in range(LENGTH) for other in ALPHABET} - {TOKEN}

    assert len(changed) == LENGTH * 63
    assert [text for text in changed if id_of(KEYS, text) is not None] == []


@pytest.mark.parametrize(
    "text",
    ["", "x", TOKEN + "=", TOKEN[:-1], TOKEN + "A", "ü" * LENGTH, "!" * LENGTH, "\x00" * LENGTH],
    # The keys are new in each process, and processes that share a run of the tests have to agree on their names.
    ids=["empty", "short", "padded", "cut", "longer", "other letters", "other signs", "null characters"],
)
def test_of_another_form_is_nothing(text: str) -> None:
    assert id_of(KEYS, text) is None


def test_a_token_of_another_shop_is_nothing() -> None:
    assert id_of(KEYS, token_of(made_up_keys(), ID)) is None
