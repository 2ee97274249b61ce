"""Errors of decisions about products."""

from api.kernel.errors import Conflict


class AlreadyDecided(Conflict):
    """`decision` in the document: what was decided."""

    title, code = "This version was decided already", "already-decided"


class NothingToDecide(Conflict):
    title, code = "The product does not wait for a decision", "nothing-to-decide"


class SellerNotVerified(Conflict):
    title, code = "The seller is not verified yet", "seller-not-verified"
