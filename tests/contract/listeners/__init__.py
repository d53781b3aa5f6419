"""One suite for what listeners make, in SQLite and in PostgreSQL."""
