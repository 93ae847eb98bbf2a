"""The job types that ship with the project; importing this registers them.

It is the default of WORKFLOWS_IMPORTS.
"""
