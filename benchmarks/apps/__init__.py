"""One module a system: the no-op job, and how a producer sends it."""
