"""Loaded history: a generated marketplace or a real retail set, written as if the shop had lived through it.

In: options or data files. Out: every business table by COPY in one transaction, then the sandbox gateway's ledger.
Rows carry `origin = 'import'`, their events count as already delivered, so nobody is mailed; real dates are kept.
The two sources (`marketplace`, `online_retail`) only describe what happened, as a `History`; `tables` derives the rows
once for both.
"""
