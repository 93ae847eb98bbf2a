"""The daily reports: what happened in one finished local day.

A builder reads one day's window and returns figures; money is integer paisa, a rate
or an average over nothing is None. What is counted, is counted by the time at which
it happened, so that a report can be built again later.
"""
