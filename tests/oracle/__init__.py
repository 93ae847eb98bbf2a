"""The whole `Store` protocol in plain dicts and lists: the oracle of the tests.

One thread, no speed, nothing kept on disk: it reads like the contract. What the
contract left open was decided here and written into its docstrings.
"""

from tests.oracle.store import OracleStore

__all__ = ["OracleStore"]
