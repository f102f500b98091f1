"""Records named by their code, as in sheets: only those that this person sees can be named at all."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext_lazy as _
from rest_framework import serializers
from rest_framework.fields import empty


class ByCode(serializers.SlugRelatedField):
    """Another record by its code, within what the person may see."""

    default_error_messages = {
        "does_not_exist": _("“{value}” is not among the records you work with: check the code."),
        "invalid": _("A code is a text."),
        "blank": serializers.CharField.default_error_messages["blank"],
    }

    def __init__(self, model: Any, slug_field: str = "code", **options: Any):
        self.model = model
        if not options.get("read_only"):
            options["queryset"] = model._default_manager.all()
        super().__init__(slug_field=slug_field, **options)

    def get_queryset(self) -> Any:
        return self.model._default_manager.visible_to(self.context["request"].user)

    def run_validation(self, data: Any = empty) -> Any:
        if data == "":  # the library takes it for null, as forms send it
            self.fail("blank")
        return super().run_validation(data)

    def to_internal_value(self, data: Any) -> Any:
        if not isinstance(data, str) or len(data) > 200 or "\x00" in data:
            self.fail("invalid")
        return super().to_internal_value(data)


class Masked(serializers.CharField):
    """A sensitive text: dots for whoever may not read it, who may not write it either. Dots are no value of it."""

    default_error_messages = {"masked": _("These dots stand for a value somebody may not read: leave the field out.")}

    def to_internal_value(self, data: Any) -> str:
        from apps.common.cells import MASK

        value: str = super().to_internal_value(data)
        if value == MASK:
            self.fail("masked")
        return value

    def to_representation(self, value: Any) -> str:
        from apps.common.cells import MASK
        from apps.users.permissions import sees_sensitive

        return str(value) if not value or sees_sensitive(self.context["request"].user) else MASK
