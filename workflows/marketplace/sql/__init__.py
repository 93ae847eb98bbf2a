"""The marketplace's repositories on SQL tables, the same on SQLite and PostgreSQL."""
