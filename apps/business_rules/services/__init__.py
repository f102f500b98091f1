"""The one function other apps call, the gate, the sweep, and what people do with violations."""

from .evaluation import evaluate_rules
from .gate import Judgement, RulesRefused, WarningsToConfirm, judged
from .sweeps import request_sweep, run_waiting_sweeps, sweep, sweep_subjects
from .violations import acknowledge_violation, grant_waiver, waive_violation

__all__ = [
    "Judgement",
    "RulesRefused",
    "WarningsToConfirm",
    "acknowledge_violation",
    "evaluate_rules",
    "grant_waiver",
    "judged",
    "request_sweep",
    "run_waiting_sweeps",
    "sweep",
    "sweep_subjects",
    "waive_violation",
]
