"""Money at the gateway: authorise, capture, void, refund."""
