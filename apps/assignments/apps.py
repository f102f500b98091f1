from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class AssignmentsConfig(AppConfig):
    name = "apps.assignments"
    verbose_name = _("assignments")

    def ready(self) -> None:
        from . import receivers  # noqa: F401
