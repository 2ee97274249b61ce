"""The documented rules: what is a product, how titles read, how things are grouped, which purchase a return belongs
to."""

from datetime import UTC, datetime, timedelta

import polars as pl
import pytest

from api.operations.load.online_retail.build import build_online_retail
from api.operations.load.online_retail.classify import item_kinds
from api.operations.load.online_retail.files import find_files
from api.operations.load.online_retail.groups import Item, group
from api.operations.load.online_retail.returns import match
from api.operations.load.online_retail.titles import candidates, display_title
from tests.harness.retail import REAL

START = datetime(2011, 1, 1, tzinfo=UTC)


def kinds_of(entries: list[tuple[str, str, list[str]]]) -> dict[str, str]:
    """(code, title, prices) -> kind by code."""
    rows = [
        {"item_id": code, "title": title, "price": price, "cents": round(float(price) * 100)}
        for code, title, prices in entries
        for price in prices
    ]
    found = item_kinds(pl.DataFrame(rows))
    return dict(found.select("item_id", "item_kind").iter_rows())


def test_shipping_and_fees_are_told_from_products_by_title() -> None:
    titles = {
        "1": ("POSTAGE", "shipping"),
        "2": ("DOTCOM POSTAGE", "shipping"),
        "3": ("Next Day Carriage", "shipping"),
        "4": ("CARRIAGE CLOCK", "product"),
        "5": ("VINTAGE POST OFFICE CABINET", "product"),
        "6": ("AMAZON FEE", "fee"),
        "7": ("COFFEE MUG", "product"),
        "8": ("Adjust bad debt", "fee"),
        "9": ("Dotcomgiftshop Gift Voucher £10.00", "fee"),
        "10": ("SAMPLES", "fee"),
        "11": ("SAMPLER CUSHION", "product"),
        "12": ("Discount", "fee"),
        "13": ("Manual", "fee"),
    }

    kinds = kinds_of([(code, title, ["1.00"]) for code, (title, _) in titles.items()])

    assert kinds == {code: kind for code, (_, kind) in titles.items()}


def test_a_price_that_is_an_amount_makes_a_fee() -> None:
    amounts = [f"{value}.37" for value in range(20)]

    kinds = kinds_of([("1", "SUNDRIES", amounts), ("2", "MUG", ["1.00"] * 90 + amounts[1:11])])

    assert kinds == {"1": "fee", "2": "product"}


def test_codes_without_digits_are_no_products_where_codes_are_not_plain_numbers() -> None:
    assert kinds_of([("85123A", "HEART", ["1.00"]), ("PADS", "PADS TO MATCH", ["1.00"])]) == {
        "85123A": "product",
        "PADS": "fee",
    }


@pytest.mark.parametrize(
    ("raw", "shown"),
    [
        ("  WHITE  HANGING HEART T-LIGHT HOLDER ", "White Hanging Heart T-Light Holder"),
        ("SET/6 BOXES IN THE SNOW", "Set/6 Boxes in the Snow"),
        ("POLYESTER FILLER PAD 40x40cm", "Polyester Filler Pad 40x40cm"),
        ("Dad's Cab Electronic Meter", "Dad's Cab Electronic Meter"),
        ("DOLLY GIRL'S PURSE.", "Dolly Girl's Purse"),
        ("THE KING GIFT BAG", "The King Gift Bag"),
        ("?", "?"),
    ],
)
def test_titles_are_shown_in_title_case(raw: str, shown: str) -> None:
    assert display_title(raw) == shown


def test_candidates_end_at_the_first_preposition_and_leave_out_colours() -> None:
    assert candidates("RED RETROSPOT LUNCH BAGS WITH ZIP") == ["LUNCH", "BAG"]
    assert candidates("SET OF 3 BLACK BERRIES") == ["BERRY"]


def test_things_are_grouped_by_head_noun_and_sellers_specialise() -> None:
    items = [Item(f"a{i}", f"LUNCH BAG NO {i}", 10) for i in range(6)] + [
        Item(f"b{i}", f"TEA MUG {i}", 10) for i in range(6)
    ]
    items.append(Item("c", "QUIDDITY", 1))

    groups = group(items)

    assert {groups.path_of[f"a{i}"] for i in range(6)} == {("Bag", "Lunch Bag")}
    assert {groups.path_of[f"b{i}"] for i in range(6)} == {("Mug", "Tea Mug")}
    assert groups.path_of["c"] == ("Other", None)
    assert list(groups.categories()) == [
        ("Bag", None),
        ("Mug", None),
        ("Other", None),
        ("Bag", "Lunch Bag"),
        ("Mug", "Tea Mug"),
    ]
    assert len({groups.seller_of[f"a{i}"] for i in range(6)}) == 1
    assert len(set(groups.seller_names)) == len(groups.seller_names) == 5
    assert group(items[::-1]) == groups


def sale(key: int, day: int, quantity: int, cents: int, customer: str | None = "c") -> dict[str, object]:
    return {
        "line_key": key,
        "customer_id": customer,
        "item_id": "i",
        "ts": START + timedelta(days=day),
        "quantity": quantity,
        "cents": cents,
    }


def back(line: int, day: int, quantity: int, cents: int, customer: str | None = "c") -> dict[str, object]:
    return {
        "line": line,
        "customer_id": customer,
        "item_id": "i",
        "ts": START + timedelta(days=day),
        "quantity": -quantity,
        "cents": cents,
    }


def matched(
    sales: list[dict[str, object]], backs: list[dict[str, object]]
) -> tuple[list[tuple[object, ...]], list[tuple[object, ...]]]:
    times: dict[str, pl.DataType | type[pl.DataType]] = {"ts": pl.Datetime("us", "UTC"), "customer_id": pl.String}
    found, missing = match(
        pl.DataFrame(sales, schema_overrides=times), pl.DataFrame(backs, schema_overrides={**times, "line": pl.UInt32})
    )
    return found.select("line", "line_key", "quantity").rows(), missing.rows()


def test_the_latest_purchase_at_the_same_price_is_given_back_first() -> None:
    sales = [sale(0, 1, 5, 200), sale(1, 2, 5, 150), sale(2, 3, 5, 200), sale(3, 9, 50, 200)]

    found, missing = matched(sales, [back(7, 5, 12, 200)])

    assert found == [(7, 2, 5), (7, 0, 5), (7, 1, 2)]
    assert missing == []


def test_no_unit_is_given_back_twice_or_before_it_was_bought() -> None:
    found, missing = matched(
        [sale(0, 1, 5, 200)], [back(7, 0, 1, 200), back(8, 2, 4, 200), back(9, 3, 4, 200), back(10, 4, 1, 200)]
    )

    assert found == [(8, 0, 4), (9, 0, 1)]
    assert missing == [
        (7, 1, "return-without-purchase"),
        (9, 3, "return-exceeds-purchases"),
        (10, 1, "return-without-purchase"),
    ]


def test_guests_and_strangers_match_nothing() -> None:
    found, missing = matched(
        [sale(0, 1, 5, 200, None), sale(1, 1, 5, 200)], [back(7, 2, 1, 200, None), back(8, 2, 1, 200, "other")]
    )

    assert found == []
    assert missing == [(8, 1, "return-without-purchase"), (7, 1, "guest-return")]


@pytest.mark.skipif(not REAL.is_dir(), reason="the real set is not on this machine")
def test_the_real_set_is_accounted_for_to_the_line() -> None:
    """540,455 lines: none lost, none twice; what is not a sale in a product is named."""
    history = build_online_retail(find_files(REAL), "real")

    lines = history.facts["lines"]
    assert isinstance(lines, dict)
    assert history.report is not None
    assert lines["total"] == 540_455 == lines["sold"] + lines["shipping"] + lines["givenBack"] + lines["reported"]
    assert history.report.height == lines["reported"]
    assert history.report["line"].n_unique() == lines["reported"]
    assert history.lines.height == lines["sold"]
    assert history.products["title"].n_unique() == history.products.height
    assert not set(history.products["title"].str.to_lowercase()) & {
        "postage",
        "manual",
        "amazon fee",
        "discount",
        "samples",
        "bank charges",
    }
