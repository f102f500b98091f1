from django.apps import AppConfig
from django.utils.module_loading import autodiscover_modules
from django.utils.translation import gettext_lazy as _


class BusinessRulesConfig(AppConfig):
    name = "apps.business_rules"
    verbose_name = _("business rules")

    def ready(self) -> None:
        from apps.changes.figures import follow

        from . import receivers  # noqa: F401
        from .services.rejudging import rejudge

        # Rules live beside their nouns, in each app's rules.py, and the words of the rule language in its words.py;
        # both are found the way the admin finds admin.py.
        autodiscover_modules("rules", "words")
        follow(rejudge)
