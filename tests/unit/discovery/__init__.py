"""Tests of discovery, without I/O."""
