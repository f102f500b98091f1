"""What the database refused, in the words of the constraint that refused it."""

from __future__ import annotations

from typing import Any

from django.apps import apps
from django.db import DatabaseError, models
from django.db.models.constraints import BaseConstraint
from django.utils.translation import gettext as _

from .errors import Reason

UNIQUE, FOREIGN_KEY, CHECK, EXCLUSION, NOT_NULL = "23505", "23503", "23514", "23P01", "23502"
BUSY = frozenset({"55P03", "40P01", "40001"})  # lock not available, deadlock, serialization failure


def explain_database_error(error: DatabaseError) -> Reason | None:
    """Return the sentence for a violated constraint or a busy row; None for anything that is a fault of ours."""
    if isinstance(error, (models.ProtectedError, models.RestrictedError)):
        return _in_use()
    state = getattr(error.__cause__, "sqlstate", None)
    diagnosis = getattr(error.__cause__, "diag", None)
    if state in BUSY:
        return Reason(
            _("Somebody else is changing this record right now. Nothing was saved: try again in a moment."),
            code="busy",
            fixable=1,
        )
    name = getattr(diagnosis, "constraint_name", None) or ""
    table = getattr(diagnosis, "table_name", None) or ""
    if state in {UNIQUE, CHECK, EXCLUSION} and name:
        return _named_constraint(name) or _unique_column(name, table)
    if state == FOREIGN_KEY:
        return _in_use()
    if state == NOT_NULL:
        field = _field_of(table, getattr(diagnosis, "column_name", "") or "")
        if field is not None:
            return Reason(_("This field is required."), code="required", field=field.name, fixable=1)
    return None


def _in_use() -> Reason:
    return Reason(
        _("Another record still uses this one, or the record chosen is gone. Nothing was saved."), code="in_use"
    )


def _named_constraint(name: str) -> Reason | None:
    for model in apps.get_models():
        for constraint in model._meta.constraints:
            if constraint.name == name:
                return Reason(_sentence(constraint, model), code=name, field=_only_field(constraint), fixable=10)
        # What a model's triggers raise has a name, a field and a sentence too.
        field, sentence = getattr(model, "raised_constraints", {}).get(name, ("", ""))
        if sentence:
            return Reason(str(sentence), code=name, field=field, fixable=10)
    return None


def _sentence(constraint: BaseConstraint, model: type[models.Model]) -> str:
    if constraint.violation_error_message != constraint.default_violation_error_message:
        return str(constraint.get_violation_error_message())
    fields = getattr(constraint, "fields", ())
    if fields:
        labels = " + ".join(str(getattr(model._meta.get_field(name), "verbose_name", name)) for name in fields)
        return _("Another %(model)s has the same %(fields)s.") % {"model": model._meta.verbose_name, "fields": labels}
    return str(constraint.get_violation_error_message())


def _only_field(constraint: BaseConstraint) -> str:
    fields = tuple(getattr(constraint, "fields", ()))
    return fields[0] if len(fields) == 1 else ""


def _unique_column(name: str, table: str) -> Reason | None:
    # A unique column's constraint is `table_column_key` for PostgreSQL and `table_column_hash_uniq` for Django.
    for model in apps.get_models():
        if model._meta.db_table != table:
            continue
        for field in model._meta.concrete_fields:
            if field.unique and name.startswith(f"{table}_{field.column}_"):
                return Reason(
                    _("Another %(model)s has this %(field)s.")
                    % {"model": model._meta.verbose_name, "field": field.verbose_name},
                    code="unique",
                    field=field.name,
                    fixable=5,
                )
    return None


def _field_of(table: str, column: str) -> models.Field[Any, Any] | None:
    for model in apps.get_models():
        if model._meta.db_table == table:
            for field in model._meta.concrete_fields:
                if field.column == column:
                    return field
    return None
