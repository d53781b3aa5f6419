"""Content keys: derived from a master key, kept apart from the store, and what encrypts with them."""
