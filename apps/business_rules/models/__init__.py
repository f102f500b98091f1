"""The catalogue staff edit, and what the engine found."""

from .business_rule import BusinessRule
from .evaluation_run import EvaluationRun
from .rule_draft import RuleDraft
from .rule_example import RuleExample
from .rule_override import RuleOverride
from .rule_violation import RuleViolation
from .waiver import Waiver

__all__ = ["BusinessRule", "EvaluationRun", "RuleDraft", "RuleExample", "RuleOverride", "RuleViolation", "Waiver"]
