"""Nepal's fiscal years begin on 1 Shrawan; the dates are a table, not arithmetic."""

from dataclasses import dataclass
from datetime import date

from workflows.marketplace.errors import INVARIANT, PermanentError


@dataclass(frozen=True, slots=True)
class FiscalYear:
    """One year, its last day included. Bills are numbered anew in each."""

    code: str
    starts_on: date
    ends_on: date


FISCAL_YEARS = (
    FiscalYear("2082/83", date(2025, 7, 17), date(2026, 7, 16)),
    FiscalYear("2083/84", date(2026, 7, 17), date(2027, 7, 16)),
    FiscalYear("2084/85", date(2027, 7, 17), date(2028, 7, 15)),
)


def fiscal_year(day: date) -> FiscalYear:
    """Return the fiscal year of a date.

    Raises:
        PermanentError: the table does not reach that far; it must be extended.
    """
    for year in FISCAL_YEARS:
        if year.starts_on <= day <= year.ends_on:
            return year
    msg = f"no fiscal year known for {day}; add it to FISCAL_YEARS"
    raise PermanentError(INVARIANT, msg)


def invoice_number(outlet: str, year: str, number: int) -> str:
    """Write the number of a bill: `KTM-2083/84-000123`."""
    return f"{outlet}-{year}-{number:06}"
