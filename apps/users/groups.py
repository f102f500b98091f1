"""Django groups kept in step with the permission table."""

from django.contrib.auth.models import Group, Permission
from django.db import transaction

from .enums import Role
from .permissions import rights_of


@transaction.atomic
def sync_groups() -> dict[str, int]:
    """Give every role's group exactly the permissions of the table; return group → how many. Safe to repeat."""
    known = {
        (label, codename): pk
        for pk, codename, label in (
            (pk, codename, f"{app}.{model}")
            for pk, codename, app, model in Permission.objects.values_list(
                "pk", "codename", "content_type__app_label", "content_type__model"
            )
        )
    }
    counts = {}
    for role in Role:
        group, _created = Group.objects.get_or_create(name=role.value)
        wanted = {
            known[label, f"{verb}_{label.split('.')[1]}"]
            for label, verbs in rights_of(role).items()
            for verb in verbs
            if (label, f"{verb}_{label.split('.')[1]}") in known
        }
        group.permissions.set(wanted)
        counts[role.value] = len(wanted)
    return counts
