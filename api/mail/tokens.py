"""The secret texts in mails: made from the id of their row and the shop's secret key, so that no table holds one.

A token is the id, and a MAC over it. A noun that sends one stores its id and its hash with what it is for, until when,
and whether it was used; what is not a token of ours is refused before anything is read.
"""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from uuid import UUID

from api.kernel.security import Keys

LENGTH = 43
_PURPOSE = "mailed-token"


def token_of(keys: Keys, token_id: UUID) -> str:
    """The token's text: 43 letters, digits, `-` and `_`."""
    return urlsafe_b64encode(token_id.bytes + keys.sign(_PURPOSE, token_id.bytes)).rstrip(b"=").decode()


def id_of(keys: Keys, token: str) -> UUID | None:
    """The id in a token that this shop made, else None."""
    if len(token) != LENGTH or not token.isascii():
        return None
    try:
        content = urlsafe_b64decode(token + "=")
    except ValueError:
        return None
    token_id, mac = content[:16], content[16:]
    if len(mac) != 16 or not keys.verify(_PURPOSE, token_id, mac):
        return None
    known = UUID(bytes=token_id)
    return known if token_of(keys, known) == token else None
