"""Money is integer paisa, 100 to the rupee. No float ever touches it."""

import re

BASIS_POINTS = 10_000  # 1300 basis points are 13 %
PAISA_PER_RUPEE = 100


def paisa(value: object) -> int:
    """Return an amount as it is, if it is one.

    Raises:
        TypeError: not an integer (a float, a text, a truth value).
    """
    if type(value) is not int:  # a bool is an int to Python and no money to us
        msg = f"money is integer paisa, not {type(value).__name__} {value!r}"
        raise TypeError(msg)
    return value


def share(amount_paisa: int, basis_points: int) -> int:
    """Return so many ten-thousandths of an amount, rounded half up to the paisa.

    A negative amount gives the negative of what the positive one gives.
    """
    amount = paisa(amount_paisa)
    sign = -1 if amount < 0 else 1
    return sign * ((abs(amount) * basis_points + BASIS_POINTS // 2) // BASIS_POINTS)


def rupees(amount_paisa: int) -> str:
    """Write an amount with Nepali grouping: 12345678 is `Rs. 1,23,456.78`."""
    amount = paisa(amount_paisa)
    whole, rest = divmod(abs(amount), PAISA_PER_RUPEE)
    head, tail = str(whole)[:-3], str(whole)[-3:]
    if head:
        tail = f"{re.sub(r'(?<=[0-9])(?=([0-9]{2})+$)', ',', head)},{tail}"
    return f"{'-' if amount < 0 else ''}Rs. {tail}.{rest:02}"
