"""Forms about users: their data with the unit they work in, and passwords."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib.auth.password_validation import password_validators_help_text_html, validate_password
from django.utils.translation import gettext_lazy as _
from unfold.forms import AdminOwnPasswordChangeForm
from unfold.widgets import UnfoldAdminPasswordWidget

from .models import User
from .services import set_password

NEW_PASSWORD = {"autocomplete": "new-password"}


class UserForm(forms.ModelForm):
    """What an administrator says about a user; on the page of a new one also the first password."""

    first_password = forms.CharField(
        label=_("first password"),
        widget=UnfoldAdminPasswordWidget(attrs=NEW_PASSWORD),
        required=False,
        strip=False,
        help_text=_("Has to be changed at the first login. Empty: the person cannot log in until one is set."),
    )

    class Meta:
        model = User
        fields = ("given_name", "family_name", "email", "role", "language", "is_active")

    def clean_first_password(self) -> str:
        password: str = self.cleaned_data["first_password"]
        if password:
            validate_password(password, self.instance)
        return password


class SetPasswordForm(forms.Form):
    """A new password for somebody else."""

    password = forms.CharField(
        label=_("new password"),
        widget=UnfoldAdminPasswordWidget(attrs=NEW_PASSWORD),
        strip=False,
        help_text=password_validators_help_text_html,
    )


class OwnPasswordForm(AdminOwnPasswordChangeForm):
    """One's own new password: the old one is asked for, and it goes through the service."""

    def save(self, commit: bool = True) -> Any:
        return set_password(user=self.user, password=self.cleaned_data["new_password1"], actor=self.user)
