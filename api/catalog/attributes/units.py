"""Units of measure. Those of one dimension are converted into each other; any other unit is equal to itself alone."""

from decimal import Decimal

# Dimension -> unit -> how many of the first one it is.
DIMENSIONS: dict[str, dict[str, Decimal]] = {
    "mass": {
        "g": Decimal(1),
        "mg": Decimal("0.001"),
        "kg": Decimal(1000),
        "oz": Decimal("28.349523125"),
        "lb": Decimal("453.59237"),
    },
    "length": {
        "mm": Decimal(1),
        "cm": Decimal(10),
        "m": Decimal(1000),
        "km": Decimal(1_000_000),
        "in": Decimal("25.4"),
        "ft": Decimal("304.8"),
    },
    "volume": {"ml": Decimal(1), "cl": Decimal(10), "l": Decimal(1000)},
    "data": {"kB": Decimal(1), "MB": Decimal(1000), "GB": Decimal(10**6), "TB": Decimal(10**9)},
    "time": {"s": Decimal(1), "ms": Decimal("0.001"), "min": Decimal(60), "h": Decimal(3600)},
    "power": {"W": Decimal(1), "kW": Decimal(1000)},
    "energy": {"Wh": Decimal(1), "kWh": Decimal(1000)},
    "charge": {"mAh": Decimal(1), "Ah": Decimal(1000)},
    "frequency": {"Hz": Decimal(1), "kHz": Decimal(1000), "MHz": Decimal(10**6), "GHz": Decimal(10**9)},
}
_KNOWN = {
    unit.casefold(): (dimension, factor) for dimension, units in DIMENSIONS.items() for unit, factor in units.items()
}


def convert(amount: Decimal, unit: str, into: str) -> Decimal | None:
    """The amount in the unit `into`; None when the two measure different things. Small letters count as capitals."""
    if unit.casefold() == into.casefold():
        return amount
    one, other = _KNOWN.get(unit.casefold()), _KNOWN.get(into.casefold())
    if one is None or other is None or one[0] != other[0]:
        return None
    return amount * one[1] / other[1]


def related(unit: str) -> list[str]:
    """The units that are converted into it, itself first."""
    known = _KNOWN.get(unit.casefold())
    others = [] if known is None else [one for one in DIMENSIONS[known[0]] if one.casefold() != unit.casefold()]
    return [unit, *others]
