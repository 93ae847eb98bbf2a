"""A made-up day of the marketplace, through the real queues and workflows.

`people` and `habits` are who takes part and what each will do: all of it follows from
a seed. `day` lets them act by the marketplace's clock. `books` reads afterwards all
that was written, `rules` says what must hold of it, `report` tells it to a reader.
`crash` does the same with a consumer that is killed again and again.
"""
