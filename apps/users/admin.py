"""Who logs in. The ADMIN's alone; groups follow the role and have no screen."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin
from django.contrib.admin.utils import unquote
from django.contrib.auth.models import Group
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import path, reverse
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _
from unfold.decorators import display
from unfold.widgets import UnfoldAdminPasswordWidget

from apps.common.admin import BaseAdmin, HistoryMixin
from apps.common.admin.dialogs import Dialog, Dialogs
from apps.common.badges import badge, two_lines
from apps.imports.exporting import ListExportMixin
from apps.org.models import OrgUnit
from apps.org.services.units import limit_sight

from .enums import Role
from .forms import NEW_PASSWORD, UserForm
from .models import User
from .services import change_user, create_user, set_password

admin.site.unregister(Group)

ROLE_TONES = {Role.ADMIN: "petrol", Role.MANAGER: "blue", Role.SUPERVISOR: "blue", Role.VIEWER: "grey"}
WRITTEN = ("given_name", "family_name", "email", "role", "language", "is_active")


class ScopeField(forms.ModelChoiceField):
    """The unit a user works in, with what is below it."""

    def label_from_instance(self, obj: OrgUnit) -> str:
        return f"{'  ' * (len(obj.path) - 1)}{obj.name} ({obj.code})"


@admin.register(User)
class UserAdmin(ListExportMixin, HistoryMixin, Dialogs, BaseAdmin):
    """People with a login: role, unit, language, password."""

    form = UserForm
    icon = "group"
    in_palette = True
    list_display = ("person", "role_shown", "unit_shown", "login_shown", "last_login")
    list_select_related = ("unit_scope__org_unit",)
    list_filter = ("role", "is_active", "must_change_password")
    search_fields = ("email", "given_name", "family_name")
    readonly_fields = ("last_login",)
    change_form_outer_before_template = "users/user_head.html"

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        person = (None, {"fields": (("given_name", "family_name"), ("email", "language"))})
        access = (_("Access"), {"fields": (("role", "scope_unit"), ("is_active",))})
        if obj is None:
            return (person, (_("Access"), {"fields": (("role", "scope_unit"), ("is_active", "first_password"))}))
        return (person, access, (_("Recorded"), {"fields": (("last_login", "created_at", "updated_at"),)}))

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        form = super().get_form(request, obj, change=change, **{**kwargs, "fields": WRITTEN})
        reader: Any = request.user
        units = OrgUnit.objects.visible_to(reader).order_by("path")
        scope = ScopeField(
            units,
            label=_("unit"),
            required=False,
            empty_label=_now("the whole organisation"),
            help_text=_("Sees this unit and everything below it."),
            widget=_select(),
        )
        if obj is not None:
            scope.initial = getattr(getattr(obj, "unit_scope", None), "org_unit_id", None)
        extra = {"scope_unit": scope}
        built: Any = type(form.__name__, (form,), extra)
        if obj is not None:
            built.base_fields.pop("first_password", None)
        if obj is not None and obj.pk == request.user.pk:
            for name in ("role", "is_active", "scope_unit"):
                if name in built.base_fields:
                    built.base_fields[name].disabled = True
                    built.base_fields[name].help_text = _now("Another administrator changes this.")
        return built

    def perform_save(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> Any:
        actor: Any = request.user
        values = {name: form.cleaned_data[name] for name in WRITTEN if name in form.cleaned_data}
        if change:
            user = change_user(user=obj, actor=actor, **values)
        else:
            user = create_user(
                actor=actor,
                password=form.cleaned_data.get("first_password") or None,
                must_change_password=True,
                **values,
            )
        if "scope_unit" in form.changed_data:
            limit_sight(user=user, unit=form.cleaned_data["scope_unit"], actor=actor)
        return user

    # Passwords

    def get_urls(self) -> list[Any]:
        own = path(
            "<path:object_id>/password/", self.admin_site.admin_view(self.password_view), name="users_user_password"
        )
        return [own, *super().get_urls()]

    def password_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Give somebody a password that they have to change at the next login."""
        user = self.get_object(request, unquote(object_id))
        if user is None or not self.has_change_permission(request, user):
            raise Http404
        dialog = Dialog(
            title=_("New password"),
            about=str(user),
            help=_("Tell it to the person; it has to be changed at the next login."),
            submit=_("Set the password"),
            back=self.back_from(request, reverse("admin:users_user_change", args=(user.pk,))),
            fields={
                "password": forms.CharField(
                    label=_now("new password"), strip=False, widget=UnfoldAdminPasswordWidget(attrs=NEW_PASSWORD)
                )
            },
        )

        def deed(values: dict[str, Any], confirmed: bool) -> Any:
            set_password(user=user, password=values["password"], actor=request.user)  # type: ignore[arg-type]
            return _now("%(who)s has a new password.") % {"who": user}

        return self.run_dialog(request, dialog, deed)

    def render_change_form(self, request: HttpRequest, context: Any, *args: Any, **kwargs: Any) -> HttpResponse:
        user = kwargs.get("obj")
        if user is not None:
            context["shown_user"] = user
            context["may_change"] = self.has_change_permission(request, user)
        return super().render_change_form(request, context, *args, **kwargs)

    # Columns

    @display(description=_("person"))
    def person(self, user: User) -> Any:
        initials = f"{user.given_name[:1]}{user.family_name[:1]}".upper()
        return two_lines(f"{user.family_name}, {user.given_name}", user.email, initials)

    person.admin_order_field = "email"

    @display(description=_("role"))
    def role_shown(self, user: User) -> Any:
        return badge(user.get_role_display(), ROLE_TONES.get(Role(user.role), "grey"), "")

    @display(description=_("unit"))
    def unit_shown(self, user: User) -> Any:
        scope = getattr(user, "unit_scope", None)
        return two_lines(scope.org_unit.name, scope.org_unit.code) if scope else _("the whole organisation")

    @display(description=_("login"))
    def login_shown(self, user: User) -> Any:
        if not user.is_active:
            return badge(_("closed"), "grey")
        if not user.has_usable_password():
            return badge(_("no password"), "yellow")
        if user.must_change_password:
            return badge(_("must change the password"), "yellow")
        return badge(_("open"), "green")


def _select() -> Any:
    from unfold.widgets import UnfoldAdminSelectWidget

    return UnfoldAdminSelectWidget()
