"""Hypothesis for all tests: no deadline on a busy two-core machine, and the same examples on every run of CI."""

import os

from hypothesis import settings

settings.register_profile("segue", deadline=None, max_examples=60)
settings.register_profile("segue-ci", settings.get_profile("segue"), derandomize=True)
settings.load_profile("segue-ci" if os.environ.get("CI") else "segue")
