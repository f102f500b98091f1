"""The day on which every test lives."""

from datetime import date

# A Wednesday: weeks start two days before it and people come and go in the middle of them.
TODAY = date(2026, 12, 9)
