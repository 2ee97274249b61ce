"""Routes that take longer bodies than others: each names the setting that says how long."""

from collections.abc import Callable
from typing import NamedTuple, TypeVar
from uuid import UUID

from starlette.routing import BaseRoute

from api.kernel.settings import Settings

E = TypeVar("E", bound=Callable[..., object])
_NAME = "__body_limit__"


class Allowed(NamedTuple):
    """The longest body of a request in bytes, and who sends it; None when it may not be longer than usual."""

    most: int
    sender: UUID | None = None


def takes_up_to(setting: str) -> Callable[[E], E]:
    """Marks an endpoint: its bodies may be as long as this setting says."""

    def marked(endpoint: E) -> E:
        setattr(endpoint, _NAME, setting)
        return endpoint

    return marked


def limit_of(route: BaseRoute | None, settings: Settings) -> int:
    """The longest body of a route; without one, of any other request."""
    setting = getattr(getattr(route, "endpoint", None), _NAME, "max_body_bytes")
    found: int = getattr(settings, setting)
    return found
