"""Everything a person reads has its Spanish, and the Spanish keeps what the program puts into it."""

import re
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from babel.messages.pofile import read_po
from django.conf import settings
from django.core.management import call_command
from django.db.models import TextChoices
from django.utils.translation import override

from apps.assignments.assignment_fsm import AssignmentStatus
from apps.business_rules.enums import Severity
from apps.demand.enums import CoverageState
from apps.fsm.employee_fsm import EmployeeStatus, LeaveKind
from apps.org.enums import UnitKind
from apps.tags.enums import Level, TagType

PLACEHOLDER = re.compile(r"%%|%(?:\(\w+\))?[#0\-+]*\d*(?:\.\d+)?[a-zA-Z]|\{\w*\}")
# Said alike in both languages.
ALIKE = {
    "API", "Supervisor", "ms", "no", "%(n)d h", "%(n)d min", "%(n)d s", "%(seconds)s s",
    "%(rule)s: %(sentence)s %(remedy)s",
}  # fmt: skip
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


def test_the_catalogue_is_in_step_with_the_code_and_complete() -> None:
    call_command("translations", check=True)


def test_every_text_has_spanish_of_its_own_with_the_same_placeholders() -> None:
    pairs = translations()
    assert len(pairs) > 900
    assert [(*pair, found) for pair in pairs if (found := problems(*pair))] == []


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
