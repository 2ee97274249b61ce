"""A carrier for development and tests, in the process of the payment gateway but with a record of its own.

In: HTTP calls of the shop with the bearer key. Out: offers, labels that are the same for the same key, and the scans of
its parcels, sent to the shop as signed messages until they are taken, in any order.
"""
