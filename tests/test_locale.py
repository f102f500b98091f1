"""Everything a person reads has its Spanish, and the Spanish keeps what the program puts into it."""

import re
from collections import Counter
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
import unfold
from babel.messages.extract import extract
from babel.messages.pofile import read_po
from django.conf import settings
from django.core.management import call_command
from django.db.models import TextChoices
from django.utils.translation import gettext, override
from django.utils.translation.template import templatize

from apps.assignments.assignment_fsm import AssignmentStatus
from apps.business_rules.enums import Severity
from apps.demand.enums import CoverageState
from apps.fsm.employee_fsm import EmployeeStatus, LeaveKind
from apps.org.enums import UnitKind
from apps.tags.enums import Level, TagType
from project.management.commands.translations import CALL, KEYWORDS

PLACEHOLDER = re.compile(r"%%|%(?:\(\w+\))?[#0\-+]*\d*(?:\.\d+)?[a-zA-Z]|\{\w*\}")
# Said alike in both languages.
ALIKE = {
    "API", "General", "No", "Supervisor", "ms", "no", "%(n)d h", "%(n)d min", "%(n)d s", "%(seconds)s s",
    "%(rule)s: %(sentence)s %(remedy)s", "%(field)s: %(old)s → %(new)s", "%(time)s ms", "%(who)s: %(condition)s.",
    "2026-01-31, today + 30 days",
    "webhook", "webhooks",
}  # fmt: skip
# Parts of the theme whose pages and fields are not used here.
UNUSED = ("contrib/", "mixins/dataset", "mixins/nested", "mixins/formfield", "templates/admin/auth/", "unfold_crispy/")
UNUSED_TEXTS = ("Select currency", "Raw passwords are not stored")
WORDS = {
    EmployeeStatus: ["Incorporación", "Activo", "Licencia", "Suspendido", "Preaviso", "Baja"],
    AssignmentStatus: ["Propuesta", "Activa", "Cerrada"],
    CoverageState: ["Vacante", "Parcial", "Cubierto", "Sobrecubierto", "Sin demanda"],
    Severity: ["Bloqueante", "Advertencia", "Informativa"],
    UnitKind: ["Clínica", "Departamento", "Servicio", "Unidad"],
}


def problems(english: str, spanish: str) -> list[str]:
    """Return what is wrong with one translation."""
    if not spanish.strip():
        return ["no Spanish"]
    found = []
    if Counter(PLACEHOLDER.findall(english)) != Counter(PLACEHOLDER.findall(spanish)):
        found.append("other placeholders")
    if english == spanish and english not in ALIKE:
        found.append("still English")
    if english.replace(english.strip(), "·") != spanish.replace(spanish.strip(), "·"):
        found.append("other blanks around it")
    return found


def translations() -> list[tuple[str, str]]:
    """Return every English text with its Spanish, plurals as pairs of their own."""
    pairs: list[tuple[Any, Any]] = []
    with (Path(settings.LOCALE_PATHS[0]) / "es" / "LC_MESSAGES" / "django.po").open("rb") as file:
        for message in read_po(file, locale="es"):
            if message.pluralizable:
                pairs += zip(message.id, message.string, strict=True)
            elif message.id:
                pairs.append((message.id, message.string))
    return pairs


def texts_of_the_theme() -> set[str]:
    """Return what the theme's own pages say, those aside that ours replace."""
    root, texts = Path(unfold.__file__).parent, set()
    for path in sorted(root.rglob("*")):
        name = path.relative_to(root).as_posix()
        used = not name.startswith(UNUSED) or name.startswith("contrib/filters/")
        ours = Path(settings.BASE_DIR) / "project" / name
        if path.suffix not in {".py", ".html"} or not used or ours.exists():
            continue
        source = path.read_text(encoding="utf-8")
        if path.suffix == ".html":
            source = "\n".join(match[0] for match in CALL.finditer(templatize(source)))
        found = extract("python", BytesIO(source.encode()), KEYWORDS, options={"encoding": "utf-8"})
        texts |= {text for _line, text, _comments, _context in found if isinstance(text, str)}
    return texts


def test_the_catalogue_is_in_step_with_the_code_and_complete() -> None:
    call_command("translations", check=True)


def test_every_text_has_spanish_of_its_own_with_the_same_placeholders() -> None:
    pairs = translations()
    assert len(pairs) > 900
    assert [(*pair, found) for pair in pairs if (found := problems(*pair))] == []


def test_the_theme_speaks_spanish_too() -> None:
    texts = texts_of_the_theme()
    assert len(texts) > 50
    with override("es"):
        english = {text for text in texts - ALIKE if not text.startswith(UNUSED_TEXTS) and gettext(text) == text}
    assert english == set()


@pytest.mark.parametrize(
    ("english", "spanish", "wrong"),
    [
        ("Coverage", "", "no Spanish"),
        ("Coverage", "Coverage", "still English"),
        ("%(who)s is new", "%(quien)s es nuevo", "other placeholders"),
        ("%(n)d days", "%(n)s días", "other placeholders"),
        ("Raw %%", "Bruta %", "other placeholders"),
        ("would be: ", "serían:", "other blanks around it"),
    ],
)
def test_a_bad_translation_is_noticed(english: str, spanish: str, wrong: str) -> None:
    assert wrong in problems(english, spanish)


@pytest.mark.parametrize(("choices", "words"), WORDS.items(), ids=lambda value: getattr(value, "__name__", ""))
def test_states_and_kinds_are_called_as_the_hospital_calls_them(choices: type[TextChoices], words: list[str]) -> None:
    with override("es"):
        assert [str(choice.label) for choice in choices] == words


@pytest.mark.parametrize("choices", [*WORDS, LeaveKind, TagType, Level], ids=lambda value: value.__name__)
def test_no_two_choices_share_a_spanish_word(choices: type[TextChoices]) -> None:
    with override("es"):
        labels = [str(choice.label).casefold() for choice in choices]
    assert len(set(labels)) == len(labels)
