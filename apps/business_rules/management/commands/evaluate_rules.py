import json
from collections import Counter
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from apps.business_rules.enums import Severity
from apps.business_rules.models import BusinessRule, EvaluationRun, RuleViolation
from apps.business_rules.registry import rule_with_code
from apps.business_rules.services import sweep
from apps.business_rules.verdicts import as_text
from apps.org.models import OrgUnit


class Command(BaseCommand):
    help = "Evaluate the business rules for everyone now and list the open violations. Exits 1 if there are any."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--rule", metavar="CODE", nargs="+", action="extend", help="only these rules")
        parser.add_argument("--unit", metavar="CODE", help="only this unit and everything below it")
        parser.add_argument("--json", action="store_true", help="print JSON alone")

    def handle(self, *args: Any, **options: Any) -> None:
        codes = self._codes(options["rule"])
        unit = self._unit(options["unit"])
        run = sweep(actor=None, rules=codes, unit=unit, trigger="command")
        violations = self._open(run, unit)
        if options["json"]:
            self.stdout.write(json.dumps(self._as_json(run, violations), ensure_ascii=False, indent=2))
        else:
            self._tell(run, violations)
        if run.failure:
            raise CommandError(run.failure, returncode=1)
        if violations:
            raise SystemExit(1)

    def _codes(self, codes: list[str] | None) -> list[str] | None:
        known = set(BusinessRule.objects.values_list("code", flat=True))
        for code in codes or ():
            if code not in known or rule_with_code(code) is None:
                raise CommandError(f"There is no rule “{code}” that can be evaluated.", returncode=2)
        return codes

    def _unit(self, code: str | None) -> OrgUnit | None:
        if code is None:
            return None
        unit = OrgUnit.objects.filter(code=code).first()
        if unit is None:
            raise CommandError(f"There is no unit “{code}”.", returncode=2)
        return unit

    def _open(self, run: EvaluationRun, unit: OrgUnit | None) -> list[RuleViolation]:
        rows = RuleViolation.objects.open().select_related("rule").order_by("rule__code", "subject_code", "id")
        if run.rules:
            rows = rows.filter(rule__code__in=run.rules)
        if unit is not None:
            rows = rows.under(unit.pk)
        return list(rows)

    def _as_json(self, run: EvaluationRun, violations: list[RuleViolation]) -> dict[str, Any]:
        counts = Counter(violation.rule.code for violation in violations)
        return {
            "started_at": run.started_at.isoformat() if run.started_at else None,
            "finished_at": run.finished_at.isoformat() if run.finished_at else None,
            "rules": {code: counts[code] for code in sorted({*counts, *run.results})},
            "violations": [
                {
                    "rule": violation.rule.code,
                    "severity": violation.severity,
                    "subject_kind": violation.subject_kind,
                    "subject_code": violation.subject_code,
                    "observed": as_text(violation.observed),
                    "limit": as_text(violation.limit),
                    "state": violation.state,
                }
                for violation in violations
            ],
            "failure": run.failure,
        }

    def _tell(self, run: EvaluationRun, violations: list[RuleViolation]) -> None:
        for violation in violations:
            severity = Severity(violation.severity).label
            self.stdout.write(f"{violation.rule.code}  {severity}  {violation.verdict.message}")
        for code, count in Counter(violation.rule.code for violation in violations).items():
            self.stdout.write(f"{code}: {count}")
        self.stdout.write(
            f"{len(violations)} open violations; {run.subjects} subjects judged, "
            f"{run.opened} opened, {run.resolved} resolved."
        )
