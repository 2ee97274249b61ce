"""Where a test may stop the writing of documents: with numbers taken and nothing stored, and with all stored."""

POINTS = frozenset({"invoices.after_numbers", "invoices.after_commit"})
