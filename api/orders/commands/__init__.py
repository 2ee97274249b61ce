"""Changes of a placed order, one module per verb: cancel, fulfil, return.

Each change is one transaction: lock the order's row, check, write, and store the answer under the
request's idempotency key. The transaction also inserts a refund as a pending row; after the commit this
process or the worker requests it at the gateway.
"""
