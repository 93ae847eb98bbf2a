"""`order-expiry`: closes one order whose deadline has passed.

`payload` says what can be asked for, `policy` how it retries, `processor` does,
`job` registers it.
"""
