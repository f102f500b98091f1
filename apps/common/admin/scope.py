"""Which records a person meets on a screen, and which of them may be changed there."""

from __future__ import annotations

from typing import Any

from django.contrib.admin import helpers
from django.contrib.auth import get_permission_codename
from django.core import checks
from django.core.exceptions import ValidationError
from django.db.models import Field, Model, QuerySet
from django.http import Http404, HttpRequest

# The mixins stand before Django's ModelAdmin, or before an inline; they have no one base to be checked against.
Screen: Any = object


def visible(rows: QuerySet[Any], request: HttpRequest) -> QuerySet[Any]:
    """Return the rows the person may see; all of them for a model without scope."""
    return rows.visible_to(request.user) if hasattr(rows, "visible_to") else rows


class Scoped(Screen):
    """Keep every path of a screen inside `visible_to`, and every write inside `editable_by`.

    An object out of scope does not exist here: 404. One that is visible only is shown without a form to change it.
    `scoped = False` is for models that belong to nobody's unit (a catalogue).
    """

    scoped = True

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        rows = super().get_queryset(request)
        return visible(rows, request) if self.scoped else rows

    def may_edit(self, request: HttpRequest, obj: Model) -> bool:
        """Say whether the person may change this one record; asked once a request."""
        rows = type(obj)._default_manager.all()
        if not self.scoped or not hasattr(rows, "editable_by"):
            return True
        known = request.__dict__.setdefault("_coveris_editable", {})
        key = (obj._meta.label, obj.pk)
        if key not in known:
            known[key] = rows.editable_by(request.user).filter(pk=obj.pk).exists()
        return bool(known[key])

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        allowed = super().has_change_permission(request, obj)
        return allowed and (not isinstance(obj, Model) or self.may_edit(request, obj))

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        allowed = super().has_delete_permission(request, obj)
        return allowed and (not isinstance(obj, Model) or self.may_edit(request, obj))

    def has_import_permission(self, request: HttpRequest) -> bool:
        return self._may(request, "import")

    def has_export_permission(self, request: HttpRequest) -> bool:
        return self._may(request, "export")

    def _may(self, request: HttpRequest, verb: str) -> bool:
        opts = self.model._meta
        return request.user.has_perm(f"{opts.app_label}.{get_permission_codename(verb, opts)}")

    def get_field_queryset(self, db: str | None, db_field: Field[Any, Any], request: HttpRequest) -> Any:
        """Offer, and accept, only visible records: a forged id fails as any wrong choice does."""
        rows = super().get_field_queryset(db, db_field, request)
        if rows is None:
            rows = db_field.remote_field.model._default_manager.using(db)  # type: ignore[union-attr]
        return visible(rows.all(), request)

    def _get_obj_does_not_exist_redirect(self, request: HttpRequest, opts: Any, object_id: str) -> Any:
        raise Http404

    def get_autocomplete_fields(self, request: HttpRequest) -> list[str]:
        """Return the relations to anything that can be searched: a select of 100,000 rows is a page of 43 MB."""
        named = list(super().get_autocomplete_fields(request))
        # The parent's own key is not a choice of an inline.
        for field in [*self.model._meta.fields, *self.model._meta.many_to_many]:
            remote = field.remote_field and field.remote_field.model
            screen = remote and self.admin_site._registry.get(remote)
            if screen and screen.search_fields and field.name not in named:
                named.append(field.name)
        return named

    def response_action(self, request: HttpRequest, queryset: QuerySet[Any]) -> Any:
        """Refuse a forged selection that names rows out of scope, instead of quietly leaving them out."""
        selected = set(request.POST.getlist(helpers.ACTION_CHECKBOX_NAME))
        try:
            found = self.get_queryset(request).filter(pk__in=selected).order_by().count()
        except (ValueError, ValidationError):
            raise Http404 from None
        if found != len(selected):
            raise Http404
        return super().response_action(request, queryset)

    def check(self, **kwargs: Any) -> list[Any]:
        errors = super().check(**kwargs)
        rows = self.model._default_manager.all()
        missing = [name for name in ("visible_to", "editable_by") if not hasattr(rows, name)]
        if self.scoped and missing:
            errors.append(
                checks.Error(
                    f"{type(self).__name__} is scoped, but {self.model.__name__} has no {' and no '.join(missing)}.",
                    hint="Give the model's queryset these questions, or set scoped = False.",
                    obj=type(self),
                    id="coveris.E010",
                )
            )
        return errors
