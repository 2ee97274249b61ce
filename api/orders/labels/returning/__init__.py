"""Labels with which buyers send units back, where the refund policy says that their seller pays for it."""
