"""Renders figures as HTML: the Jinja environment, number formats, and the data of the charts."""

from decimal import Decimal
from pathlib import Path

import orjson
from markupsafe import Markup

from api.analytics.dashboard import PERIODS, Dashboard
from api.analytics.marts import Restatement
from api.pages.base.rendering import environment
from api.sellers.queries import StoreCard

_SYMBOLS = {"USD": "$", "GBP": "£", "EUR": "€"}
# Causes of `mart_seller__restatement`.
_CAUSES = {
    "withheld": "orders whose records contradict themselves were left out",
    "mended": "orders that had been left out are back",
    "corrected": "records of that day were corrected or came late",
    "redefined": "the analytics count in another way",
}
_environment = environment(Path(__file__).parent / "templates")


def money(value: Decimal, currency: str, *, cents: bool = True) -> str:
    """`£1,234.50`; a minus sign before the symbol."""
    sign = "−" if value < 0 else ""
    return f"{sign}{_SYMBOLS.get(currency, currency + ' ')}{abs(value):,.{2 if cents else 0}f}"


def change(now: Decimal | int, before: Decimal | int) -> dict[str, str]:
    """Percent change against the previous period, with the CSS class for its colour; empty without a previous value."""
    if not before:
        return {"text": "no earlier period", "tone": "flat"}
    percent = Decimal(100) * (Decimal(now) - Decimal(before)) / abs(Decimal(before))
    tone = "up" if percent > 0 else "down" if percent < 0 else "flat"
    arrow = {"up": "▲", "down": "▼", "flat": "■"}[tone]
    return {"text": f"{arrow} {abs(percent):.0f} % against the {'' if percent else 'same '}period before", "tone": tone}


def against_chance(lift: float) -> str:
    """Lift in words: how many times more often than if the two were bought independently."""
    if lift < 1.05:
        return "about as often as by chance" if lift >= 0.95 else "less often than by chance"
    return f"{lift:,.1f} times more than chance" if lift < 9.95 else f"{lift:,.0f} times more than chance"


def why(row: Restatement) -> str:
    """Why a closed day changed."""
    if row.cause == "cancelled":
        return "1 order was cancelled" if row.orders == 1 else f"{row.orders:,} orders were cancelled"
    return _CAUSES.get(row.cause, row.cause)


def dashboard_page(store: StoreCard | None, shown: Dashboard, period: int, csrf: str) -> str:
    """The dashboard of one store."""
    return _environment.get_template("dashboard.html").render(
        store_name=store.name if store else "Your store",
        shown=shown,
        period=period,
        periods=PERIODS,
        csrf=csrf,
        chart_data=_chart_data(shown),
        top_revenue=max((row.revenue for row in shown.products), default=Decimal(1)) or Decimal(1),
    )


def _chart_data(shown: Dashboard) -> Markup:
    """JSON for the script; `<` is escaped so that no title can close the element."""
    data = {
        "currency": _SYMBOLS.get(shown.currency, shown.currency),
        "days": [day.day.isoformat() for day in shown.days],
        "net": [float(day.net_sales) for day in shown.days],
        "returned": [-float(day.returned_amount) for day in shown.days],
        "orders": [day.orders for day in shown.days],
        "units": [day.units for day in shown.days],
    }
    return Markup(orjson.dumps(data).decode().replace("<", "\\u003c"))  # noqa: S704 - our own numbers, and `<` is escaped


_environment.filters.update(money=money, against_chance=against_chance, why=why)
_environment.globals.update(change=change)
