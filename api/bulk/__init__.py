"""Bulk: files of products as jobs, with a report by row, and the export of the same form."""
