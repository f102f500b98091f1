"""What an own rule says: a sentence with words of the vocabulary in braces, told in the reader's language."""

from __future__ import annotations

import re
from collections.abc import Callable

from django.utils.translation import gettext as _

from .compiling import look_up
from .errors import ConditionError, nearest
from .grammar import parse_reference
from .tree import Ref
from .vocabulary import Sight, known_words

# Known without the vocabulary: who it is about, what was measured, the threshold.
ALWAYS = ("who", "observed", "threshold")
BRACES = re.compile(r"\{\{|\}\}|\{([^{}]*)\}|[{}]")


def placeholders(message: str, kind: str) -> list[Ref]:
    """Return the words a message names in braces; raise ConditionError that points at the one that does not fit."""
    refs: dict[Ref, None] = {}
    for match in BRACES.finditer(message):
        if match[0] in ("{{", "}}") or (match[1] or "").strip() in ALWAYS:
            continue
        if match[1] is None:
            raise ConditionError(
                _("This brace has no partner; write it twice to show one."),
                code="syntax", text=message, span=match.span(),
            )  # fmt: skip
        try:
            ref = parse_reference(match[1])
            look_up(ref, kind, Sight.of_rules(), match[1])
        except ConditionError as error:
            names = [*ALWAYS, *(known.name for known in known_words(kind, Sight.of_rules()))]
            raise ConditionError(
                error.message, code=error.code, text=message, span=match.span(1),
                suggestions=error.suggestions or nearest(match[1].strip(), names),
            ) from error  # fmt: skip
        refs.setdefault(ref)
    return list(refs)


def filled(message: str, tell: Callable[[str], str]) -> str:
    """Return the message with each placeholder told by `tell`."""

    def fill(match: re.Match[str]) -> str:
        if match[0] in ("{{", "}}"):
            return match[0][0]
        return match[0] if match[1] is None else tell(match[1].strip())

    return BRACES.sub(fill, message)
