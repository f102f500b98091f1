from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class OrgConfig(AppConfig):
    name = "apps.org"
    verbose_name = _("organisation")

    def ready(self) -> None:
        from . import receivers  # noqa: F401
