"""Mixes and stations: which tracks, in which order, and why."""
