"""Every change of an order, a round, an offer, credit or money, one function each.

They take a `Change`, are called through `Marketplace.run`, and can be called again:
what is done already, not due yet or no longer true is a `Noop`.
"""
