"""Frozen types, time, errors and events shared by all; standard library only, but for what reads records (msgspec)."""
