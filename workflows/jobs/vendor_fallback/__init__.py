"""`vendor-fallback`: offers an order to the next supplier.

`payload` says what can be asked for, `policy` how it retries, `processor` does,
`job` registers it.
"""
