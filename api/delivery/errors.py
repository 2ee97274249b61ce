"""Why nothing can be delivered."""

from api.kernel.errors import ValidationFailed


class AddressNotValid(ValidationFailed):
    title, code = "The address is not complete or does not exist", "address-not-valid"
