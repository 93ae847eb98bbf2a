"""The same workflow programs on the real Temporal server and on this engine."""
