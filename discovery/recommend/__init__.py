"""Recommendations: models of who likes what, how they are trained, kept, judged and served.

Serving needs NumPy alone. What trains (`train*.py`) needs SciPy and `implicit`, which take a third of a second to
import: nothing that serves imports it.
"""
