"""A unit chosen by typing: the browser offers those in scope, the server finds it by code or name."""

from __future__ import annotations

from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _
from unfold.widgets import UnfoldAdminTextInputWidget

from apps.org.models import OrgUnit

# More are not worth sending with a dialog; every one is still found by what is typed.
OFFERED = 300


class UnitInput(UnfoldAdminTextInputWidget):
    """A text field whose choices a <datalist> offers: no script, works in a dialog and with the keyboard."""

    template_name = "business_rules/unit_input.html"

    def __init__(self, units: list[OrgUnit]):
        super().__init__({"autocomplete": "off"})
        self.units = units

    def get_context(self, name: str, value: Any, attrs: Any) -> dict[str, Any]:
        context = super().get_context(name, value, attrs)
        listed = f"{context['widget']['attrs'].get('id', name)}_units"
        context["widget"]["attrs"]["list"] = listed
        return context | {"listed": listed, "units": self.units}


class UnitField(forms.CharField):
    """Cleans to a unit the person may see; one out of scope is as unknown as one that does not exist."""

    def __init__(self, user: Any, **options: Any):
        self.user = user
        rows = OrgUnit.objects.visible_to(user).filter(is_active=True).order_by("code")
        super().__init__(widget=UnitInput(list(rows[:OFFERED])), **options)

    def clean(self, value: Any) -> Any:
        typed = super().clean(value)
        if not typed:
            return None
        rows = OrgUnit.objects.visible_to(self.user)
        found = list(rows.filter(code__iexact=typed.partition(" · ")[0].strip())[:2]) or list(
            rows.filter(name__iexact=typed)[:2]
        )
        if len(found) > 1:
            raise ValidationError(_("Several units are called so: type the code."), code="ambiguous")
        if not found:
            raise ValidationError(_("There is no such unit in your part of the organisation."), code="unknown")
        return found[0]
