"""Which deeds: the same table of rights as in the administration (apps/users/permissions.py)."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext as _
from rest_framework.exceptions import PermissionDenied
from rest_framework.permissions import BasePermission
from rest_framework.request import Request


class OwnPassword(BasePermission):
    """Nobody goes on with a password somebody else chose."""

    def has_permission(self, request: Request, view: Any) -> bool:
        if getattr(request.user, "must_change_password", False) and not getattr(view, "open_to_owed_password", False):
            raise PermissionDenied(
                _("Change your password first: POST /api/v1/auth/password/."), code="password_change_required"
            )
        return True


class HasRight(BasePermission):
    """The verb of `view.verbs` (action → verb of the table of rights) on the view's model, or on `view.right_on`."""

    def has_permission(self, request: Request, view: Any) -> bool:
        if view.action is None:
            return True  # the method is not there: 405, whoever asks
        meta = getattr(view, "right_on", view.queryset.model)._meta
        verb = view.verbs.get(view.action, "view")
        return bool(request.user.has_perm(f"{meta.app_label}.{verb}_{meta.model_name}"))
