"""How a form's content reaches the database: through a service, and with its “no” shown where it was typed."""

from __future__ import annotations

import hashlib
from typing import Any, ClassVar

from django.contrib import messages
from django.contrib.admin.utils import unquote
from django.core import checks
from django.core.exceptions import ImproperlyConfigured, ValidationError
from django.db import DatabaseError, connections, router, transaction
from django.db.models import Model, ProtectedError, RestrictedError
from django.forms import BaseModelForm
from django.forms.models import _get_foreign_key
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils.translation import gettext as _

from ..database_errors import explain_database_error
from ..errors import ConfirmationNeeded, Reason, Refusal
from .conflicts import Below, Conflict, version_of

# The mixins stand before Django's ModelAdmin, or before an inline; they have no one base to be checked against.
Screen: Any = object

CONFIRMED, SEEN = "_confirmed", "_seen"


class ServiceWrites(Screen):
    """Screens that write through services.

    A subclass defines `perform_save(request, obj, form, change)`, and `perform_delete(request, obj)` if the thing may
    be deleted; both call a service with `actor=request.user`. Whatever the service refuses (Refusal, ValidationError,
    a database constraint) rolls the whole save back and comes back as the same form, with what was typed and the
    sentences on it. Warnings (ConfirmationNeeded) come back with a button that confirms exactly these warnings.
    """

    change_form_template = "common/change_form.html"
    delete_confirmation_template = "common/delete_confirmation.html"
    # A deed of one's own (a superuser's too) goes the same way; there is no second one.
    perform_delete: ClassVar[Any] = None

    def perform_save(self, request: HttpRequest, obj: Any, form: BaseModelForm[Any], change: bool) -> Any:
        """Call the service. Return the saved record when it is another instance than `obj`."""
        raise ImproperlyConfigured(f"{type(self).__name__} saves nothing: define perform_save.")

    def confirmed(self, request: HttpRequest) -> bool:
        """Say whether the person confirmed the warnings shown; hand it to the service as `confirmed=`."""
        return bool(getattr(request, "_coveris_confirmed", False))

    def changes(self, form: BaseModelForm[Any]) -> dict[str, Any]:
        """Return the changed values by field name, as a service takes them."""
        return {name: form.cleaned_data[name] for name in form.changed_data if name in form.cleaned_data}

    def lock(self, request: HttpRequest, obj: Model) -> None:
        """Take the record's row lock before the version is compared.

        A screen whose record stands behind others in the house order (docs/locking.md) locks those first.
        """
        type(obj)._base_manager.select_for_update(of=("self",), no_key=True).filter(pk=obj.pk).first()

    def rows_below(self, request: HttpRequest, obj: Model) -> list[Below]:
        """Return what else the form writes: the rows of its inlines are part of the version too."""
        return [
            Below(inline.model, _get_foreign_key(self.model, inline.model, fk_name=inline.fk_name).attname)
            for inline in self.get_inline_instances(request, obj)
            if inline.has_change_permission(request, obj)
        ]

    # The way through Django's view

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        context = dict(extra_context or {})
        if request.method != "POST":
            if object_id is not None and (obj := self.get_object(request, unquote(object_id))) is not None:
                context["seen_version"] = version_of(obj, self.rows_below(request, obj))
            return super().changeform_view(request, object_id, form_url, context)
        request._coveris_confirmed = False  # type: ignore[attr-defined]
        refusal = self._attempt(request, object_id, form_url, context)
        if isinstance(refusal, ConfirmationNeeded) and request.POST.get(CONFIRMED) == digest_of(refusal):
            request._coveris_confirmed = True  # type: ignore[attr-defined]
            refusal = self._attempt(request, object_id, form_url, context)
        if isinstance(refusal, HttpResponse):
            return refusal
        return self._show(request, refusal, object_id, form_url, context)

    def _attempt(self, request: HttpRequest, object_id: str | None, form_url: str, context: Any) -> Any:
        """Return the response, or the refusal after everything was rolled back."""
        try:
            with transaction.atomic(using=router.db_for_write(self.model)):
                context["seen_version"] = self._seen(request, object_id)
                return super().changeform_view(request, object_id, form_url, context)
        except Refusal as refusal:
            return refusal
        except ValidationError as error:
            return Refusal(_reasons(error))
        except (ProtectedError, RestrictedError):
            return Refusal(_in_use())
        except DatabaseError as error:
            reason = explain_database_error(error)
            if reason is None:
                raise
            return Refusal(reason)

    def _seen(self, request: HttpRequest, object_id: str | None) -> str:
        """Return the version the form was filled in on; for a form that does not say, the one of this moment."""
        if object_id is None:
            return ""
        if SEEN not in request.POST:
            obj = self.get_object(request, unquote(object_id))
            posted = request.POST.copy()
            posted[SEEN] = version_of(obj, self.rows_below(request, obj)) if obj is not None else ""
            request.POST = posted  # type: ignore[assignment]
        return request.POST[SEEN]

    def _show(
        self, request: HttpRequest, refusal: Refusal, object_id: str | None, form_url: str, context: dict[str, Any]
    ) -> HttpResponse:
        request._coveris_refusal = refusal  # type: ignore[attr-defined]
        if isinstance(refusal, Conflict):
            request.POST = refusal.merged(request.POST)  # type: ignore[assignment]
            context["conflict"] = refusal
            context["seen_version"] = refusal.current_version
        if isinstance(refusal, ConfirmationNeeded):
            context["warnings_to_confirm"] = refusal.explain()
            context["confirmation"] = digest_of(refusal)
        return super().changeform_view(request, object_id, form_url, context)

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        form = super().get_form(request, obj, change=change, **kwargs)
        refusal: Refusal | None = getattr(request, "_coveris_refusal", None)
        return form if refusal is None else _refused(form, refusal)

    def save_model(self, request: HttpRequest, obj: Any, form: BaseModelForm[Any], change: bool) -> None:
        if change:
            self.lock(request, obj)
            below = self.rows_below(request, obj)
            if (seen := request.POST.get(SEEN, "")) != version_of(obj, below):
                raise Conflict(obj, seen, form, below)
        saved = self.perform_save(request, obj, form, change)
        if saved is not None and saved is not obj:
            obj.__dict__.update(saved.__dict__)

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:
        # Without form.save_m2m(), which would write beside the services.
        for formset in formsets:
            self.save_formset(request, form, formset, change)
        # Deferred foreign keys would otherwise be checked at commit, too late to show the form again.
        connections[router.db_for_write(self.model)].check_constraints()

    def save_formset(self, request: HttpRequest, form: Any, formset: Any, change: bool) -> None:
        inline = formset.inline
        for row in formset.forms:
            if formset.can_delete and formset._should_delete_form(row):
                if row.instance.pk is not None:
                    inline.perform_delete(request, row.instance)
            elif row.has_changed():
                setattr(row.instance, formset.fk.name, form.instance)
                saved = inline.perform_save(request, row.instance, row, row.instance.pk is not None)
                if saved is not None and saved is not row.instance:
                    row.instance.__dict__.update(saved.__dict__)
        formset.new_objects, formset.changed_objects, formset.deleted_objects = [], [], []

    def get_formsets_with_inlines(self, request: HttpRequest, obj: Any = None) -> Any:
        for formset, inline in super().get_formsets_with_inlines(request, obj):
            formset.inline = inline
            yield formset, inline

    # Deleting

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self.perform_delete is not None and super().has_delete_permission(request, obj)

    def delete_model(self, request: HttpRequest, obj: Any) -> None:
        self.perform_delete(request, obj)

    def delete_view(
        self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        if request.method != "POST":
            return super().delete_view(request, object_id, extra_context)
        try:
            with transaction.atomic(using=router.db_for_write(self.model)):
                return super().delete_view(request, object_id, extra_context)
        except Refusal as refusal:
            reasons = refusal.explain()
        except (ProtectedError, RestrictedError):
            reasons = [str(_in_use().message)]
        except ValidationError as error:
            reasons = error.messages
        except DatabaseError as error:
            reason = explain_database_error(error)
            if reason is None:
                raise
            reasons = [str(reason.message)]
        for sentence in reasons:
            messages.error(request, sentence)
        return HttpResponseRedirect(request.get_full_path())

    def get_actions(self, request: HttpRequest) -> dict[str, Any]:
        """Leave out Django's bulk deletion: it shows no reason for a refusal and lists related rows without scope."""
        actions = super().get_actions(request)
        actions.pop("delete_selected", None)
        return actions

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> Any:
        """Count what hangs on a record instead of listing it: names out of scope stay unseen, 100,000 rows unread."""
        counts: dict[str, int] = {}
        protected: list[str] = []
        for obj in objs:
            for relation in obj._meta.related_objects:
                rows = relation.related_model._base_manager.filter(**{relation.field.name: obj})
                number = rows.order_by()[:1_000].count()
                if not number or _forgets(relation):
                    continue
                shown = "1000+" if number == 1_000 else str(number)
                label = str(relation.related_model._meta.verbose_name_plural)
                if _protects(relation):
                    protected.append(f"{label}: {shown}")
                else:
                    counts[label] = number
        return [str(obj) for obj in objs], counts, set(), protected

    # The history is written by the database; a second log would only keep names where erasure does not look.

    def log_addition(self, request: HttpRequest, obj: Any, message: Any) -> None:
        return None

    def log_change(self, request: HttpRequest, obj: Any, message: Any) -> None:
        return None

    def log_deletions(self, request: HttpRequest, queryset: Any) -> None:
        return None

    def check(self, **kwargs: Any) -> list[Any]:
        errors = super().check(**kwargs)
        if self.writes_through_services and type(self).perform_save is ServiceWrites.perform_save:
            errors.append(
                checks.Error(
                    f"{type(self).__name__} has no perform_save.",
                    hint="Call a service there, or derive from ReadOnlyAdmin.",
                    obj=type(self),
                    id="coveris.E011",
                )
            )
        return errors

    writes_through_services = True


def _refused(form: Any, refusal: Refusal) -> Any:
    """Return the form class that finds the refusal when it is validated."""

    class Refused(form):  # type: ignore[misc]
        def _post_clean(self) -> None:
            super()._post_clean()
            if isinstance(refusal, ConfirmationNeeded):
                return
            for reason in refusal.reasons:
                field = reason.field if reason.field in self.fields else None
                if field is None and isinstance(refusal, Conflict):
                    continue  # its panel says it
                self.add_error(field, ValidationError(str(reason.message), code=reason.code))

        def is_valid(self) -> bool:
            return False

    Refused.__name__ = form.__name__
    return Refused


def digest_of(refusal: Refusal) -> str:
    """Name exactly these warnings, so that one that came up meanwhile is asked again."""
    lines = sorted(f"{reason.code}|{reason.message}" for reason in refusal.reasons)
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def _reasons(error: ValidationError) -> list[Reason]:
    if hasattr(error, "error_dict"):
        return [
            Reason(message, code=item.code or "invalid", field="" if name == "__all__" else name, fixable=10)
            for name, items in error.error_dict.items()
            for item in items
            for message in item.messages
        ]
    return [Reason(message, code=getattr(error, "code", None) or "invalid", fixable=10) for message in error.messages]


def _in_use() -> Reason:
    return Reason(_("Other records still use this one, so it stays."), code="in_use")


def _forgets(relation: Any) -> bool:
    return getattr(relation.on_delete, "__name__", "") in ("SET_NULL", "SET_DEFAULT", "DO_NOTHING", "set_on_delete")


def _protects(relation: Any) -> bool:
    return getattr(relation.on_delete, "__name__", "") in ("PROTECT", "RESTRICT")
