"""The parts of docs/ that the code knows better: printed between markers, compared by a test."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from celery.schedules import crontab
from django.apps import apps
from django.conf import settings
from django.core.management import get_commands, load_command_class
from django.core.management.base import BaseCommand, CommandParser
from django.utils import translation

from apps.assignments.assignment_fsm import MACHINE as ASSIGNMENT
from apps.business_rules.language.grammar import (
    DEEPEST,
    FURTHEST_DAYS,
    LANGUAGE_VERSION,
    LONGEST,
    MOST_CONDITIONS,
    MOST_DIGITS,
)
from apps.business_rules.language.vocabulary import Type, Word, own_words, paths_of
from apps.business_rules.subjects import kinds
from apps.fsm.employee_fsm import MACHINE as EMPLOYEE
from apps.fsm.moves import Machine, Move
from apps.users.enums import Role
from apps.users.permissions import SEES_SENSITIVE, TRANSITIONS, WAIVES, Whose, rights_of
from worker.schedule import JOBS

DOCS = settings.BASE_DIR / "docs"
PART = re.compile(r"(<!-- printed: ([a-z-]+) -->\n).*?(<!-- end of \2 -->)", re.DOTALL)
VERBS = ("view", "add", "change", "delete", "import", "export")


class Command(BaseCommand):
    help = "Write what docs/ prints from the code. With --check nothing is written: exit 1 if a page is out of step."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--check", action="store_true", help="only say which pages are out of step")

    def handle(self, *args: Any, check: bool, **options: Any) -> None:
        stale = pages_out_of_step()
        for page, text in stale.items():
            if not check:
                page.write_text(text, encoding="utf-8")
            self.stdout.write(f"{page.relative_to(settings.BASE_DIR)}: {'out of step' if check else 'written'}")
        if check and stale:
            raise SystemExit(1)


def pages_out_of_step() -> dict[Path, str]:
    """Return the pages that differ from what the code says → the text they should have."""
    stale = {}
    for page in sorted(DOCS.rglob("*.md")):
        text = page.read_text(encoding="utf-8")
        if (wanted := filled(text)) != text:
            stale[page] = wanted
    return stale


def filled(text: str) -> str:
    """Return a page with its printed parts made anew; raise KeyError for a part nothing prints."""

    def fill(match: re.Match[str]) -> str:
        with translation.override("en"):
            return f"{match[1]}{PARTS[match[2]]().strip()}\n{match[3]}"

    return PART.sub(fill, text)


def _table(head: Iterable[str], rows: Iterable[Iterable[Any]]) -> str:
    lines = [list(head), *([str(cell) for cell in row] for row in rows)]
    lines.insert(1, ["---"] * len(lines[0]))
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _states(machine: Machine) -> str:
    start = machine.moves[0].sources[0]
    arrows = [f"    {source} --> {move.target}: {move.name}" for move in machine.moves for source in move.sources]
    diagram = "\n".join(["```mermaid", "stateDiagram-v2", f"    [*] --> {start}", *arrows, "```"])
    states = _table(
        ("State", "Shown as", "Colour"),
        ((f"`{state.value}`", state.label, machine.colours[state]) for state in machine.states),  # type: ignore[attr-defined]
    )
    moves = _table(
        ("Transition", "Shown as", "From", "To", "Asks for", "Refused unless", "By", "Note"),
        (_move(move) for move in machine.moves),
    )
    return f"{diagram}\n\n{states}\n\n{moves}"


def _move(move: Move) -> tuple[str, ...]:
    needs = ", ".join(f"{need.label}{'' if need.required else ' (optional)'}" for need in move.needs)
    guards = [guard.__name__.replace("_", " ") for guard in move.guards]
    if move.gated:
        guards.append("no BLOCKING rule forbids it")
    return (
        f"`{move.name}`",
        str(move.label),
        ", ".join(f"`{source}`" for source in move.sources),
        f"`{move.target}`",
        needs or "–",
        ", ".join(guards) or "–",
        "the system" if move.system else "people",
        str(move.help) or "–",
    )


def _rights() -> str:
    rights = {role: rights_of(role) for role in Role}
    labels = sorted({label for verbs in rights.values() for label in verbs})
    return _table(
        ("Records", *(role.value for role in Role)),
        ((_noun(label), *(_verbs(rights[role].get(label, ())) for role in Role)) for label in labels),
    )


def _noun(label: str) -> str:
    try:
        return f"{apps.get_model(label)._meta.verbose_name_plural} (`{label}`)"
    except LookupError:
        return f"`{label}`"


def _verbs(verbs: Iterable[str]) -> str:
    return ", ".join(verb for verb in VERBS if verb in verbs) or "–"


def _transitions() -> str:
    words = {Whose.ANY: "in scope", Whose.OWN: "own proposals", Whose.SELF: "about oneself"}
    return _table(
        ("Of", "Transition", *(role.value for role in Role)),
        (
            (_noun(label), f"`{name}`", *(words[roles[role]] if role in roles else "–" for role in Role))
            for (label, name), roles in sorted(TRANSITIONS.items())
        ),
    )


def _beyond() -> str:
    rows = [("read and export sensitive values (national id)", SEES_SENSITIVE)]
    rows += [(f"waive a {severity} violation", roles) for severity, roles in WAIVES.items()]
    return _table(
        ("May", *(role.value for role in Role)),
        ((what, *("yes" if role in roles else "–" for role in Role)) for what, roles in rows),
    )


def _commands() -> str:
    ours = sorted(name for name, app in get_commands().items() if app == "project" or app.startswith("apps."))
    found = get_commands()
    return _table(
        ("Command", "Does"), ((f"`{name}`", load_command_class(found[name], name).help.strip()) for name in ours)
    )


def _jobs() -> str:
    return _table(("When", "What", "Task", "Why"), ((_when(j.when), j.sentence, f"`{j.task}`", j.why) for j in JOBS))


def _when(when: Any) -> str:
    if isinstance(when, crontab):
        cron = vars(when)
        day = {"*": "daily", "1": "Mondays"}[cron["_orig_day_of_week"]]
        return f"{day} {int(cron['_orig_hour']):02d}:{int(cron['_orig_minute']):02d}"
    return f"every {when.run_every.total_seconds():.0f} s"


def _tables() -> str:
    rows = []
    for config in apps.get_app_configs():
        if not config.name.startswith("apps."):
            continue
        # A proxy is no noun of its own.
        nouns = [
            model.__name__
            for model in config.get_models()
            if not model.__name__.startswith("Historical") and not model._meta.proxy
        ]
        rows.append((f"`{config.name}`", config.verbose_name, ", ".join(sorted(nouns)) or "–"))
    return _table(("App", "Shown as", "Nouns"), rows)


def _vocabulary() -> str:
    parts = []
    for kind in kinds():
        rows = [_word(word) for word in own_words(kind.name)]
        paths = [f"`{path.name}.…` ({path.label}: the words of {path.to})" for path in paths_of(kind.name)]
        more = f"\n\nThrough a dot: {'; '.join(paths)}." if paths else ""
        head = ("Word", "Shown as", "En español", "Type", "Means", "Whose right", "Depends on")
        parts.append(f"### {kind.name}\n\n{_table(head, rows)}{more}")
    return "\n\n".join(parts)


def _word(word: Word) -> tuple[str, ...]:
    codes = ", ".join(f"{one.label}" if one.required else f"[{one.label}]" for one in word.arguments)
    with translation.override("es"):
        spanish = str(word.label)
    means = str(word.description)
    if word.type == Type.CHOICE:
        means += " " + ", ".join(f"`{code}`" for code, _label in word.choices)
    name = f"`{word.name}`" + (f" (“{codes}”)" if codes else "")
    return name, str(word.label), spanish, word.type.value, means, word.permission or "–", str(word.scope) or "–"


def _operators() -> str:
    return _table(
        ("Type", "Compared by"), ((f"{one.value}", ", ".join(f"`{op}`" for op in one.operators)) for one in Type)
    )


def _limits() -> str:
    return (
        f"Language version {LANGUAGE_VERSION}. At most {LONGEST:,} characters, {MOST_CONDITIONS} conditions, brackets "
        f"{DEEPEST} deep, numbers of {MOST_DIGITS} digits, {FURTHEST_DAYS:,} days from today."
    )


PARTS: dict[str, Callable[[], str]] = {
    "employee-states": lambda: _states(EMPLOYEE),
    "assignment-states": lambda: _states(ASSIGNMENT),
    "rights": _rights,
    "transitions": _transitions,
    "beyond-tables": _beyond,
    "commands": _commands,
    "schedule": _jobs,
    "nouns": _tables,
    "vocabulary": _vocabulary,
    "operators": _operators,
    "language-limits": _limits,
}
