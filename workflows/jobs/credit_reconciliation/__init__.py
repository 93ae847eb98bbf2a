"""`credit-reconciliation`: proves every night that the books agree.

`payload` says what can be asked for, `policy` how it retries, `processor` does,
`job` registers it.
"""
