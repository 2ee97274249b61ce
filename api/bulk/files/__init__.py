"""The bulk form: a file of rows, one variant each (docs/catalog-files.md). Pure functions, no database."""
