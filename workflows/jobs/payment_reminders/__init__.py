"""`payment-reminders`: reminds customers of overdue invoices, every morning.

`payload` says what can be asked for, `policy` how it retries, `processor` does,
`job` registers it.
"""
