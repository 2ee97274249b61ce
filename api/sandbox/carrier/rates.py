"""What the carrier asks, and when it arrives: pure functions of the way and the weight."""

from datetime import date, timedelta
from decimal import Decimal

from api.sandbox.carrier.schemas import Offer, RatesRequest

# Service -> speed, working days within a country and abroad, price of the first kilogram, and of each that is begun.
SERVICES = {
    "sandbox-economy": ("economy", 5, 12, Decimal("3.90"), Decimal("0.90")),
    "sandbox-standard": ("standard", 3, 7, Decimal("5.40"), Decimal("1.10")),
    "sandbox-express": ("express", 1, 3, Decimal("9.80"), Decimal("1.60")),
}
MOST_GRAMS = 30_000
ABROAD = Decimal("2.5")


def offers(request: RatesRequest, today: date) -> list[Offer]:
    """Every service, the slowest first; none for what is too heavy."""
    if request.weight_grams > MOST_GRAMS:
        return []
    abroad = request.sender.country.upper() != request.recipient.country.upper()
    more = -(-max(request.weight_grams - 1_000, 0) // 1_000)
    found = []
    for service, (speed, home_days, away_days, first, kilo) in SERVICES.items():
        price = first + kilo * more
        found.append(
            Offer.model_validate(
                {
                    "service": service,
                    "speed": speed,
                    "price": (price * ABROAD if abroad else price).quantize(Decimal("0.01")),
                    "arrivesOn": _working_days_after(today, away_days if abroad else home_days),
                }
            )
        )
    return found


def _working_days_after(day: date, count: int) -> date:
    while count:
        day += timedelta(days=1)
        count -= day.weekday() < 5
    return day
