"""The hours ledger as stored."""

from .closed_ledger_week import ClosedLedgerWeek, CorrectedLedgerWeek
from .ledger_week import LedgerWeek

__all__ = ["ClosedLedgerWeek", "CorrectedLedgerWeek", "LedgerWeek"]
