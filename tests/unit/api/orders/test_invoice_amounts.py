"""What invoices bill and credit notes give back: sums that add up, and papers that say them."""

import hashlib
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from uuid import UUID

import pypdfium2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.kernel.money import ZERO
from api.orders.invoices import paper
from api.orders.invoices.amounts import (
    Bill,
    Billed,
    GivenBack,
    credit_notes,
    further_invoices,
    invoices,
    lowered,
    notes_of_lines,
    of_no_line,
    raised,
)
from api.orders.invoices.content import (
    SHOP_ID,
    Reference,
    Sale,
    Store,
    Words,
    content_of,
    digest_of,
    document_number,
)
from api.orders.returns.returnable import OrderAmounts, OrderLine
from api.payments.parts import Parts

A, B = UUID(int=1), UUID(int=2)
CENTS = st.integers(0, 50_000).map(lambda cents: Decimal(cents) / 100)


def line(number: int, seller: UUID, subtotal: str, tax: str, **changed: object) -> OrderLine:
    """Two units, without discount, nothing given back."""
    plain = OrderLine(
        *(UUID(int=100 + number), UUID(int=9), UUID(int=9), seller, None, 2, Decimal(subtotal), ZERO, Decimal(tax)),
        *(False, 0, 0, ZERO, ZERO, ZERO, ZERO, "confirmed", None),
        adjusted=False,
        return_days=None,
        digital=False,
    )
    return replace(plain, **changed)  # type: ignore[arg-type]  # named fields of an OrderLine


LINES = (line(1, A, "10.00", "0.80"), line(2, A, "5.00", "0.40"), line(3, B, "15.00", "1.20"))
# Goods 30.00, their tax 2.40, shipping 4.99 without tax.
AMOUNTS = OrderAmounts(Decimal("37.39"), Decimal("2.40"), ZERO, Decimal("4.99"))


def test_each_seller_bills_their_lines_and_their_share_of_the_shipping() -> None:
    one, two = invoices(AMOUNTS, LINES, Parts(), AMOUNTS.total)
    assert (one.seller_id, one.net, one.tax, one.total) == (A, Decimal("17.50"), Decimal("1.20"), Decimal("18.70"))
    assert (two.seller_id, two.net, two.tax, two.total) == (B, Decimal("17.49"), Decimal("1.20"), Decimal("18.69"))
    assert one.adjustment == two.adjustment == Parts()


def test_what_was_given_back_before_is_not_billed() -> None:
    lines = (replace(LINES[0], returned=2, goods_given=Decimal("10.00"), tax_given=Decimal("0.80")), *LINES[1:])
    one, two = invoices(AMOUNTS, lines, Parts(Decimal("10.00"), Decimal("0.80"), ZERO), AMOUNTS.total)
    assert [billed.order_item_id for billed in one.lines] == [UUID(int=102)]
    assert one.total + two.total == Decimal("26.59")
    assert one.adjustment == Parts()


def test_a_refund_that_no_return_explains_is_shared_by_what_was_sold() -> None:
    one, two = invoices(AMOUNTS, LINES, Parts(Decimal("3.00"), ZERO, ZERO), AMOUNTS.total)
    assert (one.adjustment.goods, two.adjustment.goods) == (Decimal("-1.50"), Decimal("-1.50"))
    assert one.total + two.total == Decimal("34.39")


def test_a_seller_with_nothing_left_bills_nothing() -> None:
    free = replace(AMOUNTS, total=Decimal("32.40"), shipping_fee=ZERO)
    given_back = replace(LINES[2], returned=2, goods_given=Decimal("15.00"), tax_given=Decimal("1.20"))
    assert [
        bill.seller_id
        for bill in invoices(free, (*LINES[:2], given_back), Parts(Decimal(15), Decimal("1.2")), free.total)
    ] == [A]


@given(
    st.lists(st.tuples(st.sampled_from((A, B)), CENTS, CENTS), min_size=1, max_size=6),
    CENTS,
    st.tuples(st.integers(0, 100), st.integers(0, 100), st.integers(0, 100)),
)
def test_invoices_add_up_to_what_is_left_of_the_order(
    sold: list[tuple[UUID, Decimal, Decimal]], fee: Decimal, given_back: tuple[int, int, int]
) -> None:
    lines = [line(n, seller, str(goods + 1), str(tax)) for n, (seller, goods, tax) in enumerate(sold)]
    goods, tax = sum((one.subtotal for one in lines), ZERO), sum((one.tax_amount for one in lines), ZERO)
    amounts = OrderAmounts(goods + tax + fee, Decimal(tax), ZERO, fee)
    parts = [
        (whole * share / 100).quantize(Decimal("0.01"))
        for whole, share in zip((goods, tax, fee), given_back, strict=True)
    ]
    bills = invoices(amounts, lines, Parts(*map(Decimal, parts)), amounts.total)
    assert sum((bill.total for bill in bills), ZERO) == amounts.total - sum(parts)
    assert sum((bill.tax for bill in bills), ZERO) == tax - parts[1]


def test_what_was_set_off_is_neither_billed_nor_refunded() -> None:
    """The first line was replaced by the second before anything was sent: no money went back for it."""
    lines = (replace(LINES[0], returned=2, goods_given=Decimal("10.00"), tax_given=Decimal("0.80")), *LINES[1:])
    one, two = invoices(AMOUNTS, lines, Parts(), AMOUNTS.total - Decimal("10.80"))
    assert one.total + two.total == Decimal("26.59")
    assert one.adjustment == two.adjustment == Parts()


def test_what_is_added_later_has_a_further_invoice_as_far_as_it_is_left() -> None:
    later, gone = line(4, B, "7.00", "0.56"), line(5, A, "3.00", "0.24")
    gone = replace(gone, returned=2, goods_given=Decimal("3.00"), tax_given=Decimal("0.24"))
    (bill,) = further_invoices((*LINES, later, gone), {later.order_item_id, gone.order_item_id})
    assert (bill.seller_id, bill.total, bill.shipping, bill.adjustment) == (B, Decimal("7.56"), Parts(), Parts())


def test_a_fee_that_rises_is_billed_with_its_tax_and_one_that_falls_goes_back_to_those_who_billed_it() -> None:
    taxed = replace(AMOUNTS, tax=Decimal("3.35"))
    stated = Parts(ZERO, Decimal("0.38"), Decimal("2.00"))
    rise = of_no_line(taxed, LINES, stated, Decimal("3.56"))
    assert (rise.shipping, rise.adjustment) == (Parts(ZERO, Decimal("0.57"), Decimal("2.99")), Parts())
    (bill,) = raised(further_invoices(LINES, {LINES[2].order_item_id}), rise, LINES)
    assert (bill.seller_id, bill.total, bill.tax) == (B, Decimal("19.76"), Decimal("1.77"))
    one, two = raised([], rise, LINES)
    assert (one.total + two.total, one.tax + two.tax) == (Decimal("3.56"), Decimal("0.57"))

    free = replace(AMOUNTS, total=Decimal("32.40"), shipping_fee=ZERO)
    by_seller = {A: Parts(ZERO, Decimal("0.38"), Decimal("2.00")), B: Parts(ZERO, ZERO, Decimal("2.99"))}
    fall = of_no_line(free, LINES, sum(by_seller.values(), Parts()), Decimal("-5.37"))
    one, two = lowered([], fall, by_seller)
    assert (one.seller_id, one.shipping, two.seller_id, two.shipping) == (A, by_seller[A], B, by_seller[B])


def test_what_is_not_the_change_of_the_fee_is_an_adjustment() -> None:
    """A refund of what was never billed has not been made yet: what was charged for it is billed until it is."""
    stated = Parts(ZERO, ZERO, AMOUNTS.shipping_fee)
    rest = of_no_line(AMOUNTS, LINES, stated, Decimal("7.56"))
    assert (rest.shipping, rest.adjustment) == (Parts(), Parts(goods=Decimal("7.56")))
    one, two = lowered([], of_no_line(AMOUNTS, LINES, stated, Decimal("-7.56")), {A: stated, B: stated})
    assert (one.total, two.total) == (Decimal("3.78"), Decimal("3.78"))


def returned(number: int, seller: UUID, goods: str, tax: str) -> GivenBack:
    amounts = (Decimal(goods), Decimal(tax), Decimal("1.00"), Decimal("0.10"), Decimal("0.50"))
    return GivenBack(UUID(int=100 + number), seller, 1, *amounts)


def test_a_refund_is_credited_to_the_sellers_of_its_returns() -> None:
    returns = [returned(1, A, "4.50", "0.50"), returned(3, B, "7.00", "0.70")]
    one, two = credit_notes(Parts(Decimal("11.50"), Decimal("1.20"), Decimal("2.00")), returns, {A: ZERO, B: ZERO})
    assert (one.seller_id, one.net, one.tax, one.fee) == (A, Decimal("5.50"), Decimal("0.50"), Decimal("0.50"))
    assert (two.seller_id, two.net, two.tax) == (B, Decimal("8.00"), Decimal("0.70"))
    assert one.lines[0].tax == Decimal("0.40")
    assert one.adjustment == two.adjustment == Parts()


@given(st.integers(0, 2000), st.lists(st.integers(1, 2000), min_size=1, max_size=3))
def test_the_notes_of_an_edit_are_what_it_took_off_whatever_paid_for_it(cents: int, paid: list[int]) -> None:
    """Less is refunded where something was added, more where the fee falls, which is of no line."""
    goods, tax = Decimal(cents) / 100, Decimal(cents // 10) / 100
    back = [GivenBack(UUID(int=101), A, 1, goods, tax, Decimal(cents // 7) / 100, ZERO, ZERO)]
    refunds = [Decimal(amount) / 100 for amount in paid]
    notes = [notes_of_lines(back, refunds, index) for index in range(len(refunds))]
    bills = [bill for of_refund in notes for bill in of_refund]
    assert sum((bill.total for bill in bills), ZERO) == back[0].parts.amount
    assert sum((bill.tax for bill in bills), ZERO) == back[0].tax
    assert all(bill.total >= 0 and bill.net >= 0 for bill in bills)
    if sum(refunds) <= back[0].parts.amount:
        assert [sum((bill.total for bill in of_refund), ZERO) for of_refund in notes[1:]] == refunds[1:]


@given(CENTS, CENTS, CENTS, CENTS, CENTS)
def test_credit_notes_add_up_to_the_refund(
    goods: Decimal, tax: Decimal, shipping: Decimal, left: Decimal, other: Decimal
) -> None:
    for returns in ([], [returned(1, A, "4.50", "0.50")]):
        refund = Parts(goods, tax, shipping)
        bills = credit_notes(refund, returns, {A: left, B: other})
        assert sum((bill.total for bill in bills), ZERO) == refund.amount


def paid(**store: object) -> dict[str, object]:
    """The content of an invoice of two rates and shipping, in euros with the tax included."""
    words = {
        UUID(int=101): Words("Kopfhörer 耳机", "K-1", {"color": "black"}, Decimal("119.00"), Decimal("0.19000"), True),
        UUID(int=102): Words("Buch", "", {}, Decimal("107.00"), Decimal("0.07000"), True),
    }
    lines = (
        Billed(UUID(int=101), 1, Decimal("100.00"), Decimal("19.00")),
        Billed(UUID(int=102), 2, Decimal("195.33"), Decimal("13.67")),
    )
    bill = Bill(A, lines, Parts(ZERO, Decimal("0.79"), Decimal("4.17")), Parts())
    at = datetime(2026, 11, 5, 23, 59, tzinfo=UTC)
    address = {"name": "Zoë", "street": "Weg 1", "city": "Köln", "zipCode": "50667", "country": "DE"}
    sale = Sale(UUID(int=7), "112-1-1", "EUR", datetime(2026, 11, 3, tzinfo=UTC), address, "DE", "Other name", None)
    shop = Store(A, "Haus", "DE", is_deemed_supplier=False)
    return content_of(sale, replace(shop, **store), bill, words, Reference("invoice", "INV-1", at))  # type: ignore[arg-type]  # named fields


def test_the_tax_summary_is_by_rate_and_adds_up() -> None:
    content = paid()
    assert content["taxes"] == [
        {"rate": "0.19", "net": "104.17", "tax": "19.79", "total": "123.96"},
        {"rate": "0.07", "net": "195.33", "tax": "13.67", "total": "209.00"},
    ]
    assert (content["net"], content["tax"], content["total"]) == ("299.50", "33.46", "332.96")
    assert [line["off"] for line in content["lines"]] == ["0.00", "5.00"]  # type: ignore[attr-defined]  # a JSON list
    assert content["buyer"] == {"name": "Zoë", "address": ["Weg 1", "Köln 50667", "DE"]}


def test_a_document_of_the_past_keeps_its_bytes() -> None:
    """The first template draws these bytes for ever. What is to look otherwise is another template."""
    content = paid()
    drawn = paper.draw(content, 1, with_buyer=True)
    assert hashlib.sha256(drawn).hexdigest() == "b6f18569cd97b784e33045148faef133fb0f525932b79e3c40e6a1940246daa8"
    assert digest_of(content, 1) == "1db795004c498a8141d8fef3f6d8b17df4b74681f2efab4b53fdf937fe842ccf"
    assert digest_of(content, 2) != digest_of(content, 1)


def test_the_paper_says_what_the_content_says() -> None:
    page = pypdfium2.PdfDocument(paper.draw(paid(), 1, with_buyer=True))[0].get_textpage().get_text_range()
    for said in ("Haus", "INV-1", "2026-11-05", "Kopfhörer 耳机", "color: black", "less 5.00", "19 %", "7 %", "332.96"):
        assert said in page
    other = paper.draw(paid(is_deemed_supplier=True), 1, with_buyer=False)
    page = pypdfium2.PdfDocument(other)[0].get_textpage().get_text_range()
    assert "deemed supplier" in page
    assert "Zoë" not in page


@pytest.mark.parametrize(
    ("fraction", "said"),
    [("0.19", "19 %"), ("0.0825", "8.25 %"), ("0", "0 %"), ("0.005", "0.5 %"), ("0.14975", "14.975 %")],
)
def test_a_rate_is_said_exactly(fraction: str, said: str) -> None:
    assert paper._per_cent(fraction) == said  # noqa: SLF001 - the rule alone


def test_numbers_say_their_issuer_and_year() -> None:
    seller = UUID("01890000-0000-7000-8000-0123456789ab")
    assert document_number("invoice", seller, 2026, 7) == "INV-23456789AB-2026-000007"
    assert document_number("credit_note", SHOP_ID, 2027, 1_234_567) == "CN-SOUK-2027-1234567"
