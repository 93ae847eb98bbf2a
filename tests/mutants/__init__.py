"""Named faults of the adapters, each of which the suites must catch."""
