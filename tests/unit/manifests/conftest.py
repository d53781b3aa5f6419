"""Hypothesis for these tests: an example may take as long as a busy two-core machine needs."""

from hypothesis import settings

settings.register_profile("manifests", deadline=None, max_examples=60)
settings.load_profile("manifests")
