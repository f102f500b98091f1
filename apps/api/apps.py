from django.apps import AppConfig
from django.utils.module_loading import autodiscover_modules
from django.utils.translation import gettext_lazy as _


class ApiConfig(AppConfig):
    name = "apps.api"
    verbose_name = _("REST interface")

    def ready(self) -> None:
        from . import checks as checks

        # As the admin site finds admin.py: each app's api.py registers its views with the router.
        autodiscover_modules("api")
