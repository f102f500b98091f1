"""Questions about rows that belong to an employee."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

from django.db import models

if TYPE_CHECKING:
    from apps.users.models import User


class OfVisibleEmployees(models.QuerySet[Any]):
    """Rows that hang on an employee (`employee_path` on the model) are visible with that employee."""

    def visible_to(self, user: User) -> Self:
        path = self.model.employee_path
        visible = self.model._meta.get_field(path).related_model.objects.visible_to(user)
        # Who sees everybody also sees what a log tells of employees an undo took away.
        return self.filter(**{f"{path}__in": visible}) if visible.query.has_filters() else self.all()

    def editable_by(self, user: User) -> Self:
        path = self.model.employee_path
        employee = self.model._meta.get_field(path).related_model
        return self.filter(**{f"{path}__in": employee.objects.editable_by(user)})
