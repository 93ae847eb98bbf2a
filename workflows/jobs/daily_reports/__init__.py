"""`daily-reports`: six reports about the day that has ended.

`payload` says what can be asked for, `policy` how it retries, `processor` does,
`job` registers it.
"""
