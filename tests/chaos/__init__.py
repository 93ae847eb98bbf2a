"""The crash harness: processes are killed on purpose, a checker reads what is left.

`python -m tests.chaos --short` is its short form, `--full` the long one.
"""
