"""From text to tree and back. `or` binds loosest, then `and`, then `not`; brackets decide otherwise."""

from __future__ import annotations

import re
from datetime import date
from decimal import Decimal
from functools import lru_cache
from typing import Any

from django.utils.translation import gettext as _
from lark import Lark, Token, Tree
from lark.exceptions import UnexpectedCharacters, UnexpectedInput, UnexpectedToken

from .errors import ConditionError
from .tree import (
    Compare,
    Condition,
    Day,
    Empty,
    Holds,
    Literal,
    Not,
    Number,
    Ref,
    Span,
    Text,
    Threshold,
    Today,
    Truth,
    Within,
    all_of,
    any_of,
)

# Stored beside every condition. A change that gives an old text another meaning raises it.
LANGUAGE_VERSION = 1
LONGEST, MOST_CONDITIONS, DEEPEST, MOST_DIGITS, FURTHEST_DAYS = 2_000, 40, 20, 12, 36_500

GRAMMAR = r"""
    condition: _any
    reference: ref

    _any: all | any
    any: all ("or" all)+
    all: _not ("and" _not)*
    _not: not | _atom
    not: "not" _not
    _atom: compare | within | without | empty | filled | holds | "(" _any ")"

    holds: ref
    compare: ref OPERATOR _operand | ref CONTAINS _operand | ref STARTS WITH _operand
    within: ref "in" "(" _literal ("," _literal)* ")"
    without: ref "not" "in" "(" _literal ("," _literal)* ")"
    empty: ref "is" "empty"
    filled: ref "is" "not" "empty"

    ref: NAME [_LEFT [TEXT ("," TEXT)*] ")"]
    _operand: _literal | ref
    _literal: number | text | day | today | truth | threshold
    number: NUMBER
    text: TEXT
    day: DAY
    today: "today" [(PLUS | MINUS) COUNT ("days" | "day")]
    truth: TRUE | FALSE
    threshold: "threshold"

    _LEFT: "("
    OPERATOR: "<=" | ">=" | "!=" | "=" | "<" | ">"
    CONTAINS: "contains"i
    STARTS: "starts"i
    WITH: "with"i
    TRUE: "true"i
    FALSE: "false"i
    PLUS: "+"
    MINUS: "-"
    NAME: /(?!RESERVED\b(?!\.))[a-z_][a-z0-9_]*(\.[a-z_][a-z0-9_]*)*/i
    DAY.3: /[0-9]{4}-[0-9]{2}-[0-9]{2}/
    NUMBER.2: /-?[0-9]+(\.[0-9]+)?/
    COUNT: /[0-9]+/
    TEXT: /"(\\.|[^"\\])*"/s
    %ignore /[ \t\r\n]+/
"""
# Words that open or join conditions are nobody's name.
GRAMMAR = GRAMMAR.replace("RESERVED", "(and|or|not|in|is|empty|today|true|false|threshold|contains)")
# Keywords are case-insensitive.
GRAMMAR = re.sub(r'"(or|and|not|in|is|empty|today|days|day|threshold)"', r'"\1"i', GRAMMAR)
PARSER = Lark(
    GRAMMAR,
    parser="lalr",
    lexer="contextual",
    start=["condition", "reference"],
    propagate_positions=True,
    maybe_placeholders=False,
)
# What a Spanish speaker writes where the language has an English keyword.
SPANISH = {
    "y": "and",
    "e": "and",
    "o": "or",
    "u": "or",
    "no": "not",
    "en": "in",
    "es": "is",
    "vacio": "empty",
    "vacío": "empty",
    "vacia": "empty",
    "vacía": "empty",
    "hoy": "today",
    "dias": "days",
    "días": "days",
    "verdadero": "true",
    "falso": "false",
    "umbral": "threshold",
    "contiene": "contains",
    "empieza": "starts with",
    "comienza": "starts with",
}
KEYWORDS = frozenset(SPANISH.values()) - {"starts with"} | {"or", "starts", "with"}
# Enough of the lexer to count before anything is parsed.
PIECES = re.compile(r'"(?:\\.|[^"\\])*"?|[^\W\d][\w.]*|\d[\d.]*|\S', re.DOTALL)


def parse(text: str) -> Condition:
    """Return the meaning of a condition; raise ConditionError that points at the place."""
    _within_limits(text)
    return _condition(_parsed(text, "condition").children[0], text)


def parse_reference(text: str) -> Ref:
    """Return the word a text names (`balance`, `days_to_tag_expiry("RN")`); raise ConditionError."""
    _within_limits(text)
    return _ref(_parsed(text, "reference").children[0], text)


def _within_limits(text: str) -> None:
    """Refuse what is too long, too much or too deep before a parser sees it."""
    if len(text) > LONGEST:
        message = _("A condition has at most %(most)d characters; this one has %(count)d.")
        raise ConditionError(
            message % {"most": LONGEST, "count": len(text)}, code="too_long", text=text, span=(LONGEST, len(text))
        )
    for place, letter in enumerate(text):
        if (letter < " " and letter not in "\t\r\n") or "\ud800" <= letter <= "\udfff":
            raise ConditionError(
                _("This character cannot stand in a condition."), code="character", text=text, span=(place, place + 1)
            )
    if not text.strip():
        raise ConditionError(_("Write a condition."), code="syntax", text=text)
    depth = nots = joints = 0
    for piece in PIECES.finditer(text):
        word, span = piece[0].lower(), piece.span()
        depth += (word == "(") - (word == ")")
        nots += word == "not"
        joints += word in ("and", "or")
        if depth > DEEPEST or nots > MOST_CONDITIONS:
            raise ConditionError(
                _("Brackets and “not” go at most %(most)d deep.") % {"most": DEEPEST},
                code="too_deep", text=text, span=span,
            )  # fmt: skip
        if joints >= MOST_CONDITIONS:
            raise ConditionError(
                _("At most %(most)d conditions are joined by “and” and “or”.") % {"most": MOST_CONDITIONS},
                code="too_many", text=text, span=span,
            )  # fmt: skip
        if word[0].isdigit() and sum(letter.isdigit() for letter in word) > MOST_DIGITS:
            raise ConditionError(
                _("A number has at most %(most)d digits.") % {"most": MOST_DIGITS},
                code="number", text=text, span=span,
            )  # fmt: skip


def _parsed(text: str, start: str) -> Tree[Any]:
    try:
        return PARSER.parse(text, start=start)
    except UnexpectedInput as error:
        raise _explained(error, text) from error


def _explained(error: UnexpectedInput, text: str) -> ConditionError:
    """Say what was expected at the place where the text stops to make sense."""
    if isinstance(error, UnexpectedToken) and error.token.type == "$END":
        return ConditionError(
            _("Something is missing at the end: %(what)s.") % {"what": _wanted(error.expected, text)},
            code="syntax", text=text, span=(max(len(text.rstrip()) - 1, 0), len(text)),
        )  # fmt: skip
    place = error.pos_in_stream or 0
    piece = PIECES.search(text, place)
    span = piece.span() if piece else (place, place + 1)
    found = text[slice(*span)]
    if found.startswith('"') and (len(found) == 1 or not found.endswith('"')):
        return ConditionError(_('The text is not closed: a “"” is missing.'), code="syntax", text=text, span=span)
    expected = getattr(error, "allowed" if isinstance(error, UnexpectedCharacters) else "expected", None)
    meant = SPANISH.get(found.lower())
    return ConditionError(
        _("“%(found)s” does not fit here. Expected: %(what)s.")
        % {"found": found, "what": _wanted(expected or (), text[:place])},
        code="syntax", text=text, span=span, suggestions=(meant,) if meant else (),
    )  # fmt: skip


def _wanted(names: Any, before: str) -> str:
    """Return what may follow, in words of the active language."""
    brackets = [piece[0] for piece in PIECES.finditer(before)]
    if brackets.count("(") <= brackets.count(")"):
        # The parser's table says so where it has lost sight of the bracket that is not there.
        names = set(names) - {"RPAR", "COMMA"}
    words = {
        "NAME": _("a word of the vocabulary"),
        "OPERATOR": _("a comparison (=, !=, <, <=, >, >=)"),
        "NUMBER": _("a value"),
        "OR": "and, or",
        "AND": "and, or",
        "RPAR": ")",
        "LPAR": "(",
        "EMPTY": "empty",
        "IN": "in (…)",
        "IS": "is empty",
        "COMMA": ",",
        "DAYS": "days",
        "COUNT": _("a number of days"),
        "TEXT": _("a text in quotes"),
        "WITH": "with",
    }
    found = [words[name] for name in words if name in set(names)]
    return ", ".join(dict.fromkeys(found)) or _("the end of the condition")


# From lark's tree to ours


def _span(node: Any) -> Span:
    if isinstance(node, Token):
        return node.start_pos or 0, node.end_pos or 0
    return (0, 0) if node.meta.empty else (node.meta.start_pos, node.meta.end_pos)


def _condition(node: Any, text: str) -> Condition:
    kind, children, span = node.data, node.children, _span(node)
    if kind in ("any", "all"):
        terms = tuple(_condition(child, text) for child in children)
        return any_of(terms, span) if kind == "any" else all_of(terms, span)
    if kind == "not":
        return Not(_condition(children[0], text), span=span)
    ref = _ref(children[0], text)
    if kind == "holds":
        return Holds(ref, span=span)
    if kind in ("empty", "filled"):
        empty = Empty(ref, span=span)
        return empty if kind == "empty" else Not(empty, span=span)
    if kind in ("within", "without"):
        within = Within(ref, tuple(_literal(child, text) for child in children[1:]), span=span)
        return within if kind == "within" else Not(within, span=span)
    operator = " ".join(str(child).lower() for child in children[1:-1])
    right = children[-1]
    value = _ref(right, text) if right.data == "ref" else _literal(right, text)
    return Compare(ref, operator, value, span=span)


def _ref(node: Any, text: str) -> Ref:
    name, *arguments = node.children
    given = tuple(Text(_unquoted(one), span=_span(one)) for one in arguments)
    return Ref(str(name).lower(), given, span=_span(node))


def _literal(node: Any, text: str) -> Literal:
    span, children = _span(node), node.children
    if node.data == "number":
        return Number(Decimal(children[0]), span=span)
    if node.data == "text":
        return Text(_unquoted(children[0]), span=span)
    if node.data == "day":
        try:
            return Day(date.fromisoformat(children[0]), span=span)
        except ValueError as error:
            message = _("There is no such day: %(day)s.") % {"day": children[0]}
            raise ConditionError(message, code="value", text=text, span=span) from error
    if node.data == "today":
        offset = int(f"{children[0]}{children[1]}") if children else 0
        if abs(offset) > FURTHEST_DAYS:
            message = _("At most %(most)d days from today.") % {"most": FURTHEST_DAYS}
            raise ConditionError(message, code="value", text=text, span=span)
        return Today(offset, span=span)
    if node.data == "truth":
        return Truth(children[0].lower() == "true", span=span)
    return Threshold(span=span)


def _unquoted(token: str) -> str:
    return re.sub(r"\\(.)", r"\1", token[1:-1], flags=re.DOTALL)


@lru_cache(maxsize=512)
def parse_kept(text: str) -> Condition:
    """Return the tree of a text that is asked for again and again: trees never change."""
    return parse(text)
