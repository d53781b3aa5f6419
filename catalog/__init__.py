"""An index of the store in SQLite; it can be rebuilt from the store at any time."""
