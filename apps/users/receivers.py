"""Rights follow the role, whatever wrote it."""

from typing import Any

from django.db.models.signals import post_save
from django.dispatch import receiver

from .models import User
from .services import keep_group_in_step


@receiver(post_save, sender=User, dispatch_uid="users.group_in_step")
def put_into_group(sender: type[User], instance: User, raw: bool = False, **kwargs: Any) -> None:
    if not raw:
        keep_group_in_step(user=instance, actor=None)
