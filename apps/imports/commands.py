"""What the sheet commands share: who acts, how a report is printed."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils.translation import gettext as _

from apps.common.errors import Refusal
from apps.users.models import User

from .reading import DATES, DECIMALS, ENCODINGS, SEPARATORS, Options
from .reports import Report

if TYPE_CHECKING:
    from django.core.management.base import OutputWrapper

SHOWN = 50


def actor_named(email: str | None) -> User | None:
    """Return the user of an e-mail; None (the system) without one. An unknown one is bad usage."""
    if not email:
        return None
    user = User.objects.filter(email__iexact=email, is_active=True).first()
    if user is None:
        raise CommandError(_("Nobody who may log in has the e-mail %(email)s.") % {"email": email}, returncode=2)
    return user


def add_reading_arguments(parser: CommandParser) -> None:
    """Add how the file is to be read; nothing about dates and decimals is guessed."""
    parser.add_argument("--encoding", choices=["auto", *ENCODINGS], default="auto")
    parser.add_argument("--separator", choices=["auto", *SEPARATORS], default="auto")
    parser.add_argument("--dates", choices=DATES, default="iso", help="iso 2026-12-31, dmy 31/12/2026, mdy 12/31/2026")
    parser.add_argument("--decimal", choices=list(DECIMALS), default="point")


def options_of(arguments: dict[str, Any]) -> Options:
    return Options(*(arguments[name] for name in ("encoding", "separator", "dates", "decimal")))


def print_json(stdout: OutputWrapper, answer: Any) -> None:
    stdout.write(json.dumps(answer, ensure_ascii=False, indent=2, default=str))


def print_report(command: BaseCommand, report: Report, *, title: str = "") -> None:
    """Print a report for people: counts, refused rows, warnings."""
    out = command.stdout
    head = f"{title}: " if title else ""
    wording = _("would be: ") if report.dry_run else ""
    out.write(
        f"{head}{wording}"
        + _("created %(created)s, updated %(updated)s, unchanged %(unchanged)s, refused %(refused)s")
        % {
            "created": report.created,
            "updated": report.updated,
            "unchanged": report.unchanged,
            "refused": report.refused,
        }
    )
    _print_impact(out, report.impact)
    for error in report.errors[:SHOWN]:
        out.write("  " + error_line(error))
    if len(report.errors) > SHOWN:
        out.write("  " + _("… and %(count)s more") % {"count": len(report.errors) - SHOWN})
    for warning in report.warnings[:SHOWN]:
        out.write("  " + _("warning: %(message)s") % {"message": warning["message"]})
    if len(report.warnings) > SHOWN:
        out.write("  " + _("… and %(count)s more") % {"count": len(report.warnings) - SHOWN})


def _print_impact(out: OutputWrapper, impact: dict[str, Any]) -> None:
    coverage, rules = impact.get("coverage") or {}, impact.get("rules", {})
    for unit in coverage.get("units", ()):
        missing = unit["ahead"]["deficit_hours"]
        out.write(
            "  "
            + _("%(unit)s: missing hours over %(weeks)s weeks %(before)s → %(after)s")
            % {"unit": unit["code"], "weeks": coverage["weeks"], **missing}
        )
    for code in sorted({*rules.get("opened", {}), *rules.get("closed", {})}):
        opened, closed = rules["opened"].get(code, 0), rules["closed"].get(code, 0)
        out.write(
            "  "
            + _("%(rule)s: %(opened)s violations opened, %(closed)s closed")
            % {"rule": code, "opened": opened, "closed": closed}
        )


def error_line(error: dict[str, Any]) -> str:
    """Return one refused cell as a line for people."""
    where = _("line %(line)s") % {"line": error["line"]}
    if error["column"]:
        where += f", {error['column']}"
    value = f" “{error['value']}”" if error["value"] != "" else ""
    return f"{where}{value}: {error['message']}"


def refused_report(kind: str, refusal: Refusal, *, dry_run: bool) -> Report:
    """Return a sheet refused as a whole (no right to it) in the shape of every other answer."""
    reason = refusal.reasons[0]
    error = {"line": 1, "column": "", "value": "", "code": reason.code, "message": str(reason.message)}
    return Report(kind=kind, dry_run=dry_run, errors=[error])
