"""Kinds of tag and what happened to one."""

from django.db import models
from django.utils.translation import gettext_lazy as _


class TagType(models.TextChoices):
    """What a tag says about its holder."""

    CONTRACT = "CONTRACT", _("Contract")
    QUALIFICATION = "QUALIFICATION", _("Qualification")
    CERTIFICATION = "CERTIFICATION", _("Certification")
    EXCEPTION = "EXCEPTION", _("Exception")


class Level(models.TextChoices):
    """How much a position wants a tag."""

    REQUIRED = "REQUIRED", _("Required")
    PREFERRED = "PREFERRED", _("Preferred")


class TagChange(models.TextChoices):
    """What happened to an employee's tag."""

    ADDED = "ADDED", _("Added")
    CHANGED = "CHANGED", _("Changed")
    REMOVED = "REMOVED", _("Removed")
