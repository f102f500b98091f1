from . import ledger_week

__all__ = ["ledger_week"]
