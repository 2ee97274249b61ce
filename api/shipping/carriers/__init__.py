"""One adapter per kind of carrier, behind the protocol of `interface`."""
