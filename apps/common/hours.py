"""Hours at the edges and inside the engine.

At every edge hours are Decimal with two places. Inside, the engine counts hundredths of an hour × days
("hour-days"): integers, so that sums are exact; a week's figure is hour-days ÷ 700 and is divided only to show.
"""

from decimal import ROUND_HALF_UP, Decimal

HOUR_DAYS = 700
CENT = Decimal("0.01")
TENTH = Decimal("0.1")


def to_hundredths(hours: Decimal) -> int:
    """Return a Decimal hours figure in hundredths of an hour."""
    return int((hours * 100).to_integral_exact())


def to_hours(hour_days: int) -> Decimal:
    """Return weekly hours of two decimals, rounded half up, of engine hour-days."""
    return (Decimal(hour_days) / HOUR_DAYS).quantize(CENT, ROUND_HALF_UP)


def to_percent(part: int, whole: int) -> Decimal | None:
    """Return part ÷ whole in percent with one decimal; None where the whole is nothing.

    What is not exactly 100 % is never shown as 100.0.
    """
    if not whole:
        return None
    percent = (Decimal(part) * 100 / Decimal(whole)).quantize(TENTH, ROUND_HALF_UP)
    if percent == 100 and part != whole:
        return Decimal("99.9") if part < whole else Decimal("100.1")
    return percent
