from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class TagsConfig(AppConfig):
    name = "apps.tags"
    verbose_name = _("contracts and qualifications")

    def ready(self) -> None:
        from . import receivers  # noqa: F401
