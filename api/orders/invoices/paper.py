"""Documents drawn on A4. A template is never changed once it has drawn a document: what is to look otherwise becomes a
new one, so that a document of the past keeps its bytes."""

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

from api.documents.sheet import A4, GRAY, Sheet
from api.documents.table import Column, Place, table

_LEFT, _RIGHT, _TOP, _BOTTOM = 42.0, A4.width - 42.0, 48.0, A4.height - 60.0
_TITLES = {"invoice": "Invoice", "credit_note": "Credit note"}
Content = Mapping[str, Any]  # Any: a JSON document of `content.content_of`


def draw(content: Content, template: int, *, with_buyer: bool) -> bytes:
    """The PDF. Without the buyer it says their country only."""
    return TEMPLATES[template](content, with_buyer).pdf()


def _first(content: Content, with_buyer: bool) -> Sheet:
    return _plain(content, _rows(content), with_buyer=with_buyer)


def _second(content: Content, with_buyer: bool) -> Sheet:
    """As the first, with the addresses of the parcels when they are not all the order's."""
    if "shipTo" not in content:
        return _first(content, with_buyer)
    return _addressed(content, _rows_to(content), with_buyer=with_buyer)


def _third(content: Content, with_buyer: bool) -> Sheet:
    """As the second, with the components of a kit together under its name."""
    content = _by_kit(content)
    if "shipTo" not in content:
        return _plain(content, _under_kits(content, _rows(content)), with_buyer=with_buyer)
    return _addressed(content, _under_kits(content, _rows_to(content)), with_buyer=with_buyer)


def _plain(content: Content, rows: Sequence[tuple[str, ...]], *, with_buyer: bool) -> Sheet:
    sheet = Sheet(A4, f"{_TITLES[content['kind']]} {content['number']}", content["issuer"])
    y = _head(sheet, content)
    y = _parties(sheet, content, y, with_buyer=with_buyer)

    def next_page() -> float:
        sheet.new_page()
        return _TOP

    y = table(sheet, Place(_LEFT, y, _BOTTOM), _COLUMNS, rows, next_page)
    if y + 130 > _BOTTOM:
        y = next_page()
    _sums(sheet, content, y + 14)
    _foot(sheet, content)
    return sheet


def _addressed(content: Content, rows: Sequence[tuple[str, ...]], *, with_buyer: bool) -> Sheet:
    sheet = Sheet(A4, f"{_TITLES[content['kind']]} {content['number']}", content["issuer"])
    y = _head(sheet, content)
    y = _parties(sheet, content, y, with_buyer=with_buyer)

    def next_page() -> float:
        sheet.new_page()
        return _TOP

    y = _ship_to(sheet, content, y, next_page, with_buyer=with_buyer)
    y = table(sheet, Place(_LEFT, y, _BOTTOM), _COLUMNS, rows, next_page)
    taxes = content.get("taxesByDestination") or content["taxes"]
    if y + 14 + max(130, 60 + 12.5 * len(taxes)) > _BOTTOM:
        y = next_page()
    _sums(sheet, {**content, "taxes": taxes}, y + 14)
    _foot(sheet, content)
    return sheet


def _by_kit(content: Content) -> Content:
    """With the lines of each kit together, where the first of them stands."""
    first: dict[str, int] = {}
    lines = content["lines"]
    places = [first.setdefault(line["kit"]["variantId"], at) if "kit" in line else at for at, line in enumerate(lines)]
    order = sorted(range(len(lines)), key=places.__getitem__)
    numbers = {"shipToOfLines": [content["shipToOfLines"][at] for at in order]} if "shipToOfLines" in content else {}
    return {**content, "lines": [lines[at] for at in order], **numbers}


def _under_kits(content: Content, rows: Sequence[tuple[str, ...]]) -> list[tuple[str, ...]]:
    """The rows, with one that names each kit before those of its components."""
    told: list[tuple[str, ...]] = []
    above = None
    lines = [*content["lines"], *[{}] * (len(rows) - len(content["lines"]))]
    for line, row in zip(lines, rows, strict=True):
        kit = line.get("kit")
        if kit is not None and kit["variantId"] != above:
            told.append((f"{kit['title']}, {_units(kit['quantity'])} ordered:", *[""] * (len(row) - 1)))
        above = None if kit is None else kit["variantId"]
        told.append(row if kit is None else (f"– {row[0]}", *row[1:]))
    return told


def _units(number: int) -> str:
    return "1 unit" if number == 1 else f"{number} units"


def _ship_to(sheet: Sheet, content: Content, y: float, next_page: Callable[[], float], *, with_buyer: bool) -> float:
    """The numbered addresses in two columns, their countries alone without the buyer."""
    places = list(enumerate(content["shipTo"], 1))
    for pair in (places[at : at + 2] for at in range(0, len(places), 2)):
        if y + 90 > _BOTTOM:
            y = next_page()
        ends = []
        for x, (number, place) in zip((_LEFT, _LEFT + 270), pair, strict=False):
            name = [place["name"]] if place["name"] else []
            sheet.words(x, y, f"Ship to {number}", size=8, gray=GRAY)
            base = y + 13
            for line in [*name, *place["address"]] if with_buyer else [place["country"]]:
                base = sheet.paragraph(x, base, line, 235, size=9.5)
            ends.append(base)
        y = max(ends) + 8
    return y + 4


def _rows_to(content: Content) -> list[tuple[str, ...]]:
    """The rows, each line's with the number of its address."""
    rows = _rows(content)
    numbers = content["shipToOfLines"]
    told = [(f"{row[0]}\nShip to {number}", *row[1:]) for row, number in zip(rows, numbers, strict=False)]
    return [*told, *rows[len(numbers) :]]


def _head(sheet: Sheet, content: Content) -> float:
    sheet.words(_LEFT, _TOP + 12, content["issuer"], size=17, bold=True)
    sheet.words(_RIGHT, _TOP + 12, _TITLES[content["kind"]], size=17, bold=True, align="right")
    y = _TOP + 32
    about = [
        ("Number", content["number"]),
        ("Date", content["issuedOn"]),
        ("Order", f"{content['order']['number']} of {content['order']['placedOn']}"),
    ]
    if content["refersTo"]:
        about.insert(1, ("Invoice", content["refersTo"]))
    if content["paymentMethod"]:
        about.append(("Paid by", str(content["paymentMethod"]).replace("_", " ")))
    for name, value in about:
        sheet.words(_RIGHT - 165, y, name, size=8.5, gray=GRAY, align="right")
        sheet.words(_RIGHT, y, value, size=8.5, align="right")
        y += 12.5
    return y + 6


def _parties(sheet: Sheet, content: Content, y: float, *, with_buyer: bool) -> float:
    seller, buyer = content["seller"], content["buyer"]
    sold = [seller["name"], seller["country"]]
    if content["isDeemedSupplier"]:
        sold.append(f"{content['issuer']} issues this document and owes its tax as deemed supplier.")
    to = [*([buyer["name"]] if buyer["name"] else []), *buyer["address"]] if with_buyer else [content["country"]]
    ends = []
    for x, title, lines in ((_LEFT, "Sold by", sold), (_LEFT + 270, "Sold to", to)):
        sheet.words(x, y, title, size=8, gray=GRAY)
        base = y + 13
        for line in lines:
            base = sheet.paragraph(x, base, line, 235, size=9.5)
        ends.append(base)
    return max(ends) + 12


_COLUMNS = (
    Column("Article", 208),
    Column("Units", 34, "right"),
    Column("Price", 62, "right"),
    Column("Tax rate", 44, "right"),
    Column("Net", 55, "right"),
    Column("Tax", 49, "right"),
    Column("Amount", 59, "right"),
)


def _rows(content: Content) -> list[tuple[str, ...]]:
    rows = [_row(line) for line in content["lines"]]
    extra = (("Shipping", content["shipping"]), ("Other changes to the price of the order", content["adjustment"]))
    rows += [(name, "", "", "", *_three(sums)) for name, sums in extra if _any(sums)]
    return rows


def _any(sums: Mapping[str, str]) -> bool:
    """Whether any of the amounts, which are text, is not zero."""
    return any(value.strip("-0.") for value in sums.values())


def _row(line: Content) -> tuple[str, ...]:
    said = [line["title"], line["options"], f"SKU {line['sku']}" if line["sku"] else ""]
    if line["off"].strip("-0."):
        said.append(f"less {_amount(line['off'])}")
    article = "\n".join(part for part in said if part)
    return (article, str(line["quantity"]), _amount(line["price"]), _per_cent(line["rate"]), *_three(line))


def _three(sums: Mapping[str, str]) -> tuple[str, str, str]:
    return _amount(sums["net"]), _amount(sums["tax"]), _amount(sums["total"])


def _sums(sheet: Sheet, content: Content, y: float) -> None:
    """Taxes by rate on the left, the sums on the right."""
    sheet.words(_LEFT, y, "Tax summary", size=8, gray=GRAY)
    base = y + 14
    places = ((_LEFT, "left"), (_LEFT + 130, "right"), (_LEFT + 190, "right"), (_LEFT + 255, "right"))
    rows = [("Rate", "Net", "Tax", "Amount"), *((_rate(row), *_three(row)) for row in content["taxes"])]
    for number, row in enumerate(rows):
        for (x, align), words in zip(places, row, strict=True):
            sheet.words(x, base, words, size=8.5, bold=number == 0, align="left" if align == "left" else "right")
        base += 12.5
    included = any(line["taxIncluded"] for line in content["lines"])
    if included:
        sheet.words(_LEFT, base + 4, "Prices contain the tax.", size=8, gray=GRAY)
    given_back = content["kind"] == "credit_note"
    sums = [("Net", content["net"]), ("Tax", content["tax"])]
    if content["fee"].strip("-0."):
        sheet.words(_LEFT, base + 16, f"Less a fee of {_amount(content['fee'])} for the return.", size=8, gray=GRAY)
    for name, value in sums:
        sheet.words(_RIGHT - 110, y + 14, name, size=9.5, align="right")
        sheet.words(_RIGHT, y + 14, _amount(value), size=9.5, align="right")
        y += 14
    sheet.line(_RIGHT - 175, y + 7, _RIGHT, y + 7)
    total = "Total given back" if given_back else "Total"
    sheet.words(_RIGHT - 110, y + 22, total, size=11, bold=True, align="right")
    sheet.words(_RIGHT, y + 22, f"{content['currency']} {_amount(content['total'])}", size=11, bold=True, align="right")


def _foot(sheet: Sheet, content: Content) -> None:
    for page in range(sheet.pages):
        sheet.words(_LEFT, A4.height - 34, content["number"], size=8, gray=GRAY, page=page)
        sheet.words(
            _RIGHT, A4.height - 34, f"Page {page + 1} of {sheet.pages}", size=8, gray=GRAY, align="right", page=page
        )


def _amount(text: str) -> str:
    """`1,234.50`"""
    whole, _, cents = text.lstrip("-").partition(".")
    groups: list[str] = []
    while len(whole) > 3:
        groups.insert(0, whole[-3:])
        whole = whole[:-3]
    return ("-" if text.startswith("-") else "") + ",".join([whole, *groups]) + (f".{cents}" if cents else "")


def _rate(row: Content) -> str:
    said = "Various" if row["rate"] is None else _per_cent(row["rate"])
    if "shipTo" not in row:
        return said
    return "Shipping and other" if row["shipTo"] is None else f"Ship to {row['shipTo']}: {said}"


def _per_cent(fraction: str) -> str:
    """`0.0825` as `8.25 %`, without a detour through a float."""
    whole, _, rest = fraction.partition(".")
    digits = (whole + rest.ljust(2, "0")).lstrip("0") or "0"
    places = max(len(rest) - 2, 0)
    digits = digits.rjust(places + 1, "0")
    return f"{digits[: len(digits) - places]}{'.' + digits[len(digits) - places :] if places else ''} %"


# Never remove one: documents name theirs.
TEMPLATES: Mapping[int, Callable[[Content, bool], Sheet]] = MappingProxyType({1: _first, 2: _second, 3: _third})
NEWEST = max(TEMPLATES)
