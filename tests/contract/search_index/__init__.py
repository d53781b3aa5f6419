"""One suite for the search index in SQLite and in PostgreSQL."""
