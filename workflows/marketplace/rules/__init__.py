"""The marketplace's rules: pure functions of what they are given.

No clock, no database, no float. What decides about money, time or who wins is here,
so that anybody can recompute it.
"""
