"""The site map (sitemaps.org, 0.9): an index, and parts of at most 50,000 addresses, packed."""

from collections.abc import Iterable
from datetime import datetime
from xml.sax.saxutils import escape

MAX_URLS = 50_000
_NAMESPACE = "http://www.sitemaps.org/schemas/sitemap/0.9"
_HEAD = '<?xml version="1.0" encoding="UTF-8"?>\n'


def url_of(address: str, changed: datetime) -> bytes:
    return f"<url><loc>{escape(address)}</loc><lastmod>{changed:%Y-%m-%d}</lastmod></url>\n".encode()


def part_of(urls: Iterable[bytes]) -> bytes:
    head = f'{_HEAD}<urlset xmlns="{_NAMESPACE}">\n'.encode()
    return head + b"".join(urls) + b"</urlset>\n"


def index_of(parts: Iterable[str], address: str) -> bytes:
    listed = "".join(f"<sitemap><loc>{escape(address)}/sitemaps/{name}</loc></sitemap>\n" for name in parts)
    return f'{_HEAD}<sitemapindex xmlns="{_NAMESPACE}">\n{listed}</sitemapindex>\n'.encode()
