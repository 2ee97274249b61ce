"""Changes of a placed order, one module per verb: cancel, fulfil, return.

Each change is one transaction: lock the order's row, check, write, and store the answer under the request's idempotency
key. A refund is first a pending row of that transaction; after the commit the gateway is asked for it, by this process
or by the worker.
"""
