"""The screens of rules, violations, waivers and evaluations."""

from . import business_rule, evaluation_run, rule_draft, rule_violation, waiver

__all__ = ["business_rule", "evaluation_run", "rule_draft", "rule_violation", "waiver"]
