"""Loads history: a generated marketplace or a real retail set, as the rows that the shop would have written.

In: options or data files. Out: every business table by COPY in one transaction, then the sandbox gateway's ledger. Rows
carry `origin = 'import'`, their events count as already delivered, so no mail is sent; real dates are kept. The two
sources (`marketplace`, `online_retail`) only describe what happened, as a `History`; `tables` derives the rows of both.
"""
