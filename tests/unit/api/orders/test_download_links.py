"""Links to files: one spelling for each, made by this shop alone."""

from dataclasses import replace
from datetime import UTC, datetime
from unittest.mock import patch
from uuid import UUID

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from api.kernel.security import Keys
from api.orders.downloads.links import LENGTH, Link, code_of, link_of

KEYS = Keys(private=Ed25519PrivateKey.generate(), kid="", secret=b"s" * 32)
LINKS = st.builds(
    Link,
    st.uuids(),
    st.integers(0, 4_000_000_000).map(lambda seconds: datetime.fromtimestamp(seconds, UTC)),
)
LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"


@given(LINKS)
def test_a_code_says_what_it_was_made_of(link: Link) -> None:
    code = code_of(KEYS, link)

    assert (len(code), link_of(KEYS, code)) == (LENGTH, link)
    assert link_of(replace(KEYS, secret=b"t" * 32), code) is None


@given(LINKS, st.integers(0, LENGTH - 1), st.sampled_from(LETTERS))
def test_a_changed_code_is_none(link: Link, at: int, letter: str) -> None:
    code = code_of(KEYS, link)
    changed = code[:at] + letter + code[at + 1 :]

    assert (link_of(KEYS, changed) is None) is (changed != code)


@given(st.text(max_size=60))
def test_no_other_text_is_a_code(text: str) -> None:
    assert link_of(KEYS, text) is None


def test_mutant_without_the_signature_a_later_end_is_believed() -> None:
    link = Link(UUID(int=1), datetime(2026, 1, 1, tzinfo=UTC))
    later = code_of(replace(KEYS, secret=b"t" * 32), replace(link, expires_at=datetime(2036, 1, 1, tzinfo=UTC)))
    with patch.object(Keys, "verify", lambda *_: True), patch("api.orders.downloads.links.code_of", lambda *_: later):
        believed = link_of(KEYS, later)

    assert believed is not None
    assert believed.expires_at.year == 2036
    assert link_of(KEYS, later) is None
