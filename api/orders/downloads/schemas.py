"""Bodies of files that are sold."""

from api.kernel.schemas import Wire, WireId, WireTime


class DigitalFileBody(Wire):
    """The file of a variant, as its buyers get it."""

    variant_id: WireId
    name: str
    bytes: int
    updated_at: WireTime


class Download(Wire):
    """A file that was bought. `url` works until `expiresAt`, and a new one is made each time that this is read, until
    `endsAt`; `left` downloads by all of them together."""

    name: str
    bytes: int
    url: str
    expires_at: WireTime
    left: int
    ends_at: WireTime
