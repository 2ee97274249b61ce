"""A payment gateway for development and tests: its own process, its own durable ledger, none of the shop's tables.

In: HTTP calls of the shop with a bearer key. Out: answers that are the same for the same key, and `GET /v1/ledger`, the
independent record against which the shop's payments are checked. `carrier` is another company in the same process.
"""
