"""Rules that staff write: a condition in the rule language instead of code; whoever matches violates."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any, Protocol
from zlib import crc32

from django.utils.translation import gettext as _

from apps.common.clock import today

from .language.compiling import Compiler, look_up
from .language.errors import ConditionError
from .language.grammar import LANGUAGE_VERSION, parse_kept, parse_reference
from .language.messages import filled, placeholders
from .language.reading import Reading
from .language.tree import Compare, Condition, Ref, atoms, refs
from .language.vocabulary import Sight, Type, Word, find, own_words
from .language.writing import EVERYTHING, in_words, told, written
from .questions import Question
from .registry import Rule
from .subjects import kind_named
from .verdicts import Verdict, hours

# Behind the rules that come with the product: what they find is harder to talk about than what staff thought up.
FIXABLE = 70


class Written(Protocol):
    """A rule of the catalogue that has a condition. `measure` and `message` may be empty."""

    @property
    def pk(self) -> Any: ...

    code: Any
    name: Any
    description: Any
    subject_kind: Any
    condition: Any
    language: Any
    message: Any
    measure: Any


def own_rule(row: Written) -> Rule:
    """Return the rule that a row of the catalogue says, ready for gate, sweep and what-if.

    Whoever meets the condition violates it. Observed is the measure, the limit the threshold; facts.values holds, by
    its text, the value of each word that condition, measure and message use (of a word that counts days, the day), and
    facts.records the subject. The condition is compiled at each question: `today` is the question's.
    """
    return Rule(
        code=row.code,
        kind=row.subject_kind,
        name=row.name,
        description=row.description,
        violations=lambda question: _violations(row, question),
        sentence=lambda verdict: _sentence(row, verdict),
        remedy=lambda verdict: _remedy(row),
        worse=_worse(row),
        fixable=FIXABLE,
        is_own=True,
    )


def condition_of(row: Written) -> Condition:
    """Return the tree of a row's condition; raise ConditionError where it is of a language this product knows not."""
    if row.language != LANGUAGE_VERSION:
        raise ConditionError(
            _("The condition is in version %(version)s of the rule language; this is %(ours)s.")
            % {"version": row.language, "ours": LANGUAGE_VERSION},
            code="version",
            text=row.condition,
        )
    return parse_kept(row.condition)


def check_own(row: Written) -> None:
    """Raise ConditionError where a rule can be read no more, as asking it would; asks the database nothing."""
    _violations(row, Question(today(), due={}))


def _violations(row: Written, question: Question) -> tuple[str, dict[str, Any]]:
    condition, kind = condition_of(row), kind_named(row.subject_kind)
    reading = Reading(kind.name, question, prefix=_prefix(row), row="subject")
    compiler = Compiler(reading, Sight.of_rules(), threshold="subject.threshold", text=row.condition)
    where = compiler.where(condition)
    measure = parse_reference(row.measure) if row.measure.strip() else None
    observed = compiler.value(measure) if measure else "NULL"
    used = dict.fromkeys([*refs(condition), *([measure] if measure else []), *placeholders(row.message, kind.name)])
    values = ", ".join(f"{reading.bind(written(ref))}::text, {_fact(compiler, ref)}" for ref in used)
    # A column names the subject, or a query of its own for those alone of whom the facts are read.
    named = next((word for word in own_words(kind.name) if word.is_code), None)
    code = (
        named.sql(reading.subject) if named else f"(SELECT who.code FROM ({kind.rows}) who WHERE who.id = subject.id)"
    )
    return (
        f"""
            SELECT subject.id AS subject_id, ({observed})::numeric AS observed, subject.threshold AS "limit",
                jsonb_build_object('values', jsonb_build_object({values}), 'records', jsonb_build_array(
                    jsonb_build_object('kind', {reading.bind(kind.name)}::text, 'id', subject.id, 'code', {code})
                )) AS facts
            FROM subject {reading.joined}
            WHERE {where}
        """,
        reading.params,
    )


def _prefix(row: Written) -> str:
    """Return what tells the parameters of this content from those of any other in the same statement."""
    content = f"{type(row).__name__}|{row.pk}|{row.condition}|{row.measure}|{row.message}"
    return f"own{crc32(content.encode()):x}w"


def _fact(compiler: Compiler, ref: Ref) -> str:
    """Return the SQL of a value as facts hold it: figures as text of two decimals, days as ISO dates."""
    sql = compiler.raw(ref)
    word = look_up(ref, compiler.kind, compiler.sight).found.word
    if word.counts or word.type in (Type.DATE, Type.TEXT, Type.CHOICE):
        return f"({sql})::text"
    if word.type == Type.BOOLEAN:
        return f"COALESCE({sql}, FALSE)"
    return f"round(({sql})::numeric, 2)::text"


def _worse(row: Written) -> Any:
    """Say in which direction the measure gets worse: where it would first meet the condition, else upwards."""
    try:
        measure = parse_reference(row.measure) if row.measure.strip() else None
        for atom, as_it_stands in atoms(condition_of(row)):
            if isinstance(atom, Compare) and atom.ref == measure and atom.operator[0] in "<>":
                return "lower" if (atom.operator[0] == "<") == as_it_stands else "higher"
    except ConditionError:
        # The rule says so itself when it is asked.
        return "higher"
    return "higher"


# What it says


def _sentence(row: Written, verdict: Verdict) -> str:
    if not row.message.strip():
        return _("%(who)s: %(condition)s.") % {"who": verdict.who, "condition": _condition_told(row)}
    return filled(row.message, lambda name: _told(row, verdict, name))


def _remedy(row: Written) -> str:
    return _("It passes once this no longer holds: %(condition)s.") % {"condition": _condition_told(row)}


def _condition_told(row: Written) -> str:
    """Return the condition in words; as it was written where it can be read no more: violations may still stand."""
    try:
        return in_words(condition_of(row), row.subject_kind)
    except ConditionError:
        return f"“{row.condition}”"


def _told(row: Written, verdict: Verdict, name: str) -> str:
    if name == "who":
        return verdict.who
    if name in ("observed", "threshold"):
        figure = verdict.observed if name == "observed" else verdict.limit
        return hours(figure) if figure is not None else _("nothing")
    try:
        ref = parse_reference(name)
    except ConditionError:
        return name
    found = find(row.subject_kind, ref.name, EVERYTHING)
    value = verdict.facts.get("values", {}).get(written(ref))
    return told(found.word, counted(found.word, value)) if found else name


def counted(word: Word, value: Any) -> Any:
    """Return what a fact is worth today: of a word that counts days, their number."""
    if not word.counts or value is None:
        return value
    days = (date.fromisoformat(value) - today()).days
    return Decimal(days if word.counts == "to" else -days)


def told_values(verdict: Verdict, kind: str) -> list[tuple[str, str]]:
    """Return label and value of each word behind a verdict, in the active language, for whoever explains it."""
    lines = []
    for name, value in verdict.facts.get("values", {}).items():
        try:
            ref = parse_reference(name)
        except ConditionError:
            # A fact of a language version this product no longer reads.
            lines.append((name, str(value)))
            continue
        found = find(kind, ref.name, EVERYTHING)
        if found is not None:
            label = f"{found.label} “{ref.arguments[0].value}”" if ref.arguments else found.label
            lines.append((label, told(found.word, counted(found.word, value))))
    return lines
