"""How the engine behaves with very many runs: `python -m tests.scale --help`."""
