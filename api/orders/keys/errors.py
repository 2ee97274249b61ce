"""Why no keys are taken."""

from api.kernel.errors import Conflict, ValidationFailed


class NotDigital(Conflict):
    title, code = "The product is sent", "not-digital"


class HasFile(Conflict):
    """A variant is licence keys, or a file."""

    title, code = "The variant has a file", "has-digital-file"


class KeysNotInPool(ValidationFailed):
    title, code = "These keys are not in the pool", "keys-not-in-pool"


class KeysAreSold(Conflict):
    """`available` in the document: how many keys can be withdrawn now. The others are for orders."""

    title, code = "The keys are sold", "keys-sold"
