"""The one function other apps call, the gate, the sweep, and what people do with violations."""

from .evaluation import evaluate_rules
from .gate import Judgement, RulesRefused, WarningsToConfirm, judged
from .sweeps import request_judging, request_sweep, run_waiting_sweeps, sweep, sweep_subjects
from .violations import acknowledge_violation, acknowledge_violations
from .waivers import end_waiver, grant_unit_waiver, grant_waiver, reopen_expired, waive_violation
from .what_if import NoAnswer, WhatIf, what_if

__all__ = [
    "Judgement",
    "NoAnswer",
    "RulesRefused",
    "WarningsToConfirm",
    "WhatIf",
    "acknowledge_violation",
    "acknowledge_violations",
    "end_waiver",
    "evaluate_rules",
    "grant_unit_waiver",
    "grant_waiver",
    "judged",
    "reopen_expired",
    "request_judging",
    "request_sweep",
    "run_waiting_sweeps",
    "sweep",
    "sweep_subjects",
    "waive_violation",
    "what_if",
]
