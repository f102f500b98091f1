from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class CommonConfig(AppConfig):
    name = "apps.common"
    verbose_name = _("foundations")

    def ready(self) -> None:
        from . import checks  # noqa: F401
