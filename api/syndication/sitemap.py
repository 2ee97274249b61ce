"""The site map (sitemaps.org, 0.9): an index, and parts of at most 50,000 addresses, packed."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from xml.sax.saxutils import escape

MAX_URLS = 50_000
_NAMESPACE = "http://www.sitemaps.org/schemas/sitemap/0.9"
_XHTML = "http://www.w3.org/1999/xhtml"
_HEAD = '<?xml version="1.0" encoding="UTF-8"?>\n'


def urls_of(address: str, changed: datetime, languages: Sequence[str]) -> Iterator[bytes]:
    """The page, and in several languages the page of each: all of them name each other, as readers of site maps ask
    for."""
    pages = {language: f"{address}?language={language}" for language in languages} if len(languages) > 1 else {}
    links = "".join(
        f'<xhtml:link rel="alternate" hreflang="{language}" href="{escape(page)}"/>'
        for language, page in [*pages.items(), *([("x-default", address)] if pages else [])]
    )
    for page in (address, *pages.values()):
        yield f"<url><loc>{escape(page)}</loc><lastmod>{changed:%Y-%m-%d}</lastmod>{links}</url>\n".encode()


def part_of(urls: Iterable[bytes]) -> bytes:
    head = f'{_HEAD}<urlset xmlns="{_NAMESPACE}" xmlns:xhtml="{_XHTML}">\n'.encode()
    return head + b"".join(urls) + b"</urlset>\n"


def index_of(parts: Iterable[str], address: str) -> bytes:
    listed = "".join(f"<sitemap><loc>{escape(address)}/sitemaps/{name}</loc></sitemap>\n" for name in parts)
    return f'{_HEAD}<sitemapindex xmlns="{_NAMESPACE}">\n{listed}</sitemapindex>\n'.encode()
