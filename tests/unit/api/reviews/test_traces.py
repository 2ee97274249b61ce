"""Where a review comes from: equal places are equal digests, and no digest says which place it is."""

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from api.kernel.security import Keys
from api.reviews.judging.traces import UNKNOWN, trace

KEYS = Keys(private=Ed25519PrivateKey.generate(), kid="", secret=b"s" * 32)
BROWSER = "Mozilla/5.0\nen"


def test_an_address_is_a_digest_under_the_shops_key_and_a_device_is_a_browser_at_it() -> None:
    first, second = trace(KEYS, "9.9.9.9", BROWSER), trace(KEYS, "9.9.9.9", "Other\nde")

    assert first.address == second.address
    assert first.device != second.device
    assert trace(KEYS, "9.9.9.9", BROWSER) == first
    assert trace(KEYS, "9.9.9.10", BROWSER).address != first.address
    assert trace(KEYS, "9.9.9.10", BROWSER).device != first.device
    assert "9.9.9.9" not in str(first)
    assert first.address is not None
    assert len(first.address) == 32


def test_a_household_has_one_network_of_ipv6() -> None:
    first, second = (trace(KEYS, f"2a00:1450:4001:82a::{n}", BROWSER).address for n in (1, 2))

    assert first == second
    assert trace(KEYS, "2a00:1450:4001:82b::1", BROWSER).address != first
    assert trace(KEYS, "::ffff:9.9.9.9", BROWSER) == trace(KEYS, "9.9.9.9", BROWSER)


def test_what_is_no_public_address_is_no_place() -> None:
    for client in (None, "", "testclient", "127.0.0.1", "10.0.0.1", "192.168.1.1", "fe80::1", "::1"):
        assert trace(KEYS, client, BROWSER) == UNKNOWN
    assert trace(KEYS, "9.9.9.9", "").device is None
