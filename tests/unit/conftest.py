"""Hypothesis in unit tests: the same examples on every run, however slow the machine.

Settings are read when a test is defined, so they are loaded before this folder is.
"""

from hypothesis import settings

settings.register_profile("unit", deadline=None, derandomize=True)
settings.load_profile("unit")
