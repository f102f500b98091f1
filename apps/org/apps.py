from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class OrgConfig(AppConfig):
    name = "apps.org"
    verbose_name = _("organisation")

    def ready(self) -> None:
        from apps.common.paginator import count_as

        from . import receivers  # noqa: F401
        from .querysets import counting_of

        count_as(counting_of)
