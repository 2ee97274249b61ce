"""Invoices and credit notes: per order and seller, numbered without gaps, the same for ever."""
