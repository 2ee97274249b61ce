"""One module per package that makes tables.

Every function here is an adapter around a plain function that has its own test.
"""
