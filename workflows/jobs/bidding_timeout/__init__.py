"""`bidding-timeout`: closes bidding rounds at their time.

`payload` says what can be asked for, `policy` how it retries, `processor` does,
`job` registers it.
"""
