"""Errors of accounts."""

from api.kernel.errors import Conflict, Forbidden, NotAuthenticated, NotFound, Problem


class EmailTaken(Conflict):
    title, code = "The e-mail address has an account", "email-taken"


class InvalidCredentials(NotAuthenticated):
    """One wording for an unknown address and for a wrong password."""

    title, code = "The e-mail address or the password is wrong", "invalid-credentials"


class InvalidRefreshToken(NotAuthenticated):
    """One wording for an unknown, expired, revoked and reused token."""

    title, code = "The refresh token is not usable", "invalid-refresh-token"


class AccountSuspended(Forbidden):
    """Answered only after the right password."""

    title, code = "The account is suspended", "account-suspended"


class SessionEnded(NotAuthenticated):
    title, code = "The session has ended", "session-ended"


class AddressNotFound(NotFound):
    title, code = "No such address", "address-not-found"


class TooManyAddresses(Problem):
    status, title, code = 409, "The address book is full", "too-many-addresses"
