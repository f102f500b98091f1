"""The hours ledger as stored."""

from .closed_ledger_week import ClosedLedgerWeek, CorrectedLedgerWeek
from .ledger_week import LedgerWeek
from .unit_usage import UnitUsage, WholeUsage

__all__ = ["ClosedLedgerWeek", "CorrectedLedgerWeek", "LedgerWeek", "UnitUsage", "WholeUsage"]
