"""`wholesaler-confirmation-timeout`: ends offers that nobody answered.

`payload` says what can be asked for, `policy` how it retries, `processor` does,
`job` registers it.
"""
