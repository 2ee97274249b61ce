"""What is masked of what people type."""

from pathlib import Path

import pytest

from api.events.contacts import CONTACTS, MASK, without_contacts

MACRO = Path(__file__).parents[4] / "transforms/dbt/macros/without_contacts.sql"


@pytest.mark.parametrize(
    "text",
    [
        "ann@example.com order", "+44 20 7946 0958", "4111 1111 1111 1111", "4111111111111111",
        "lamp 4111-1111-1111-1111", "tel:+49 (0)30 901820",
    ],
)  # fmt: skip
def test_a_contact_is_masked(text: str) -> None:
    assert without_contacts(text) == MASK


@pytest.mark.parametrize(
    "text", ["", "desk lamp 2000", "4006381333931", "24 inch @ home", "iphone 15", "手机", "tk-675", "+5 dioptre"]
)
def test_everything_else_stays(text: str) -> None:
    assert without_contacts(text) == text


def test_dbt_masks_by_the_same_rule() -> None:
    assert f"'{CONTACTS}'" in MACRO.read_text("utf-8")
