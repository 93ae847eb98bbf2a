"""Alembic's migrations of the marketplace's tables.

`versions/` has one module per step; a released step is never changed. To add one:
change `tables/`, raise `SCHEMA_VERSION`, write the step, and let its test compare.
"""
