"""Whether a request comes from a program that browses, by its User-Agent. Only the answer is stored."""

import re

# Words in the names that crawlers, link previews, monitors, headless browsers and HTTP libraries give themselves.
_BOT = re.compile(
    r"(?<!cu)bot\b|crawl|spider|slurp|scrap|headless|phantom|preview|monitor|archiver|facebookexternalhit|mediapartners"
    r"|lighthouse|curl/|wget/|python|httpx|aiohttp|okhttp|java/|go-http|libwww|node-fetch|axios|postman",
    re.IGNORECASE,
)


def is_bot(user_agent: str | None) -> bool:
    """True also without a User-Agent: every browser sends one."""
    return not user_agent or _BOT.search(user_agent) is not None
