"""List prices, and the buyer's savings against them."""

from decimal import Decimal

from api.kernel.money import ZERO


def is_list_price(list_price: Decimal | None, price: Decimal) -> bool:
    """Whether `list_price` is valid for `price`: it is not below it."""
    return list_price is None or list_price >= price


def of_variant(price: Decimal, product_price: Decimal, product_list_price: Decimal | None) -> Decimal | None:
    """The list price of a variant that costs `price`: as far above it as the product's is above the product's price."""
    return None if product_list_price is None else price + (product_list_price - product_price)


def discount_percent(price: Decimal, list_price: Decimal | None) -> int:
    """Whole per cent off the list price, never more than they are: 99 for what costs anything at all. 0 without a list
    price."""
    if list_price is None or list_price <= price:
        return 0
    return int((list_price - price) * 100 // list_price)


def saving(price: Decimal, list_price: Decimal | None, quantity: int) -> Decimal:
    """The saving on `quantity` units against the list price; never negative."""
    return ZERO if list_price is None else max((list_price - price) * quantity, ZERO)
