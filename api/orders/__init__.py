"""Orders after the checkout: reads, cancellation, fulfilment and returns."""
