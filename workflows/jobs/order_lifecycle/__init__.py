"""`order-lifecycle`: one durable workflow per order, from placement to the last paisa.

`steps` says what an order needs next and when, `activities` does it, `workflow` waits,
`waking` starts it and tells it of changes, `job` registers it.
"""
