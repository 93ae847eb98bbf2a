"""What users' tests may use too: stand-ins and fault injection."""
