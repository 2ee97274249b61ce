"""The refund policy's table: complete, and the same in the wire's words, in the code and in the SQL of a read."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import get_args
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.operations.load.marketplace.words import KINDS
from api.orders.returns.policy import (
    POLICIES,
    WINDOW_DAYS,
    WINDOWS,
    ReasonCode,
    closes_at,
    reason_code_of,
    rma_number,
    window_days,
)
from tests.harness.api import ROOT

CHECKOUT = ROOT / "docs/checkout.md"
DELIVERED = datetime(2026, 3, 1, 12, tzinfo=UTC)


def test_every_reason_has_a_policy() -> None:
    assert set(POLICIES) == set(get_args(ReasonCode))


@pytest.mark.parametrize("code", get_args(ReasonCode))
def test_who_is_at_fault_pays_the_parcel_and_keeps_no_fee(code: str) -> None:
    policy = POLICIES[code]

    if policy.return_shipping == "seller":
        assert (policy.outbound, policy.most_fee) == (True, Decimal("0.00"))
    if policy.most_fee > 0:
        assert (policy.outbound, policy.return_shipping, policy.restock) == (False, "buyer", True)


def test_damaged_goods_are_written_off_and_an_unwanted_parcel_is_sold_again() -> None:
    assert {code for code, policy in POLICIES.items() if not policy.restock} == {
        "damaged",
        "defective",
        "missing_parts",
    }


@pytest.mark.parametrize(
    ("path", "days"),
    [
        ("/Electronics/Phones", WINDOW_DAYS),
        ("/Grocery", 7),
        ("/Grocery/Tea", 7),
        ("/Groceryware", WINDOW_DAYS),
        ("/Clothing/Shoes", 60),
        ("", WINDOW_DAYS),
    ],
)
def test_the_window_is_that_of_the_category(path: str, days: int) -> None:
    assert window_days(path) == days
    assert (closes_at(DELIVERED, window_days(path)) - DELIVERED).days == days


def test_departments_of_the_demo_have_windows_of_their_own() -> None:
    departments = {f"/{kind.department}": window_days(f"/{kind.department}/{kind.category}") for kind in KINDS}

    assert {path: days for path, days in departments.items() if days != WINDOW_DAYS} == {
        "/Baby & Kids": 90,
        "/Beauty": 14,
        "/Outdoors": 60,
    }
    written = ", ".join(f"{path.strip('/')} {days}" for path, days in WINDOWS.items())
    assert f"{WINDOW_DAYS} days from delivery; {written}" in CHECKOUT.read_text(encoding="utf-8")


def test_a_comment_that_is_a_code_counts_as_one_and_any_other_as_other() -> None:
    assert reason_code_of("damaged", "too loud") == "damaged"
    assert reason_code_of(None, "Better price") == "better_price"
    assert reason_code_of(None, "too loud") == "other"
    assert reason_code_of(None, None) == "other"


@given(st.uuids(), st.uuids())
def test_returns_have_different_numbers(one: object, other: object) -> None:
    assert (rma_number(one) == rma_number(other)) == (str(one)[-12:] == str(other)[-12:])
    assert len(rma_number(uuid4())) == 16
